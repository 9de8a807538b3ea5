// What Explore can measure: events, different people, or the numbers of a facet; and how such a number is written.
import { count, duration, size } from "../shared/format.js";

/** @typedef {{name: string, facet: string}} Measure `name` is a key of `measures`; `facet` is empty for events */

/** @type {Record<string, {words: string, title: string, aggregation: string, additive: boolean}>} */
const measures = {
  sum: { words: "sum of", title: "sum", aggregation: "sum", additive: true },
  avg: { words: "average of", title: "average", aggregation: "avg", additive: false },
  median: { words: "median of", title: "median", aggregation: "median", additive: false },
  pc90: { words: "90th percentile of", title: "90th percentile", aggregation: "pc90", additive: false },
  pc95: { words: "95th percentile of", title: "95th percentile", aggregation: "pc95", additive: false },
  min: { words: "least of", title: "least", aggregation: "min", additive: false },
  max: { words: "greatest of", title: "greatest", aggregation: "max", additive: false },
  distinct: { words: "different values of", title: "different values", aggregation: "cardinality", additive: false },
};
/** @type {Record<string, string>} */
const people = { "@usr.id": "users", "@session.id": "sessions", "@account.id": "accounts" };

/** What can be chosen, without the facet. @type {[string, string][]} */
export const choices = [["count", "events"], ...Object.entries(people), ...Object.entries(measures).map(([name, { words }]) => /** @type {[string, string]} */ ([name, words]))];

/** @param {string} of as in the address: `count`, `@usr.id`, `avg:@order.total` @returns {Measure} */
export function measureOf(of) {
  if (of in people) return { name: of, facet: of };
  const [name, ...rest] = of.split(":");
  return name in measures ? { name, facet: rest.join(":") } : { name: "count", facet: "" };
}

/** @param {Measure} measure @returns {string} */
export const written = ({ name, facet }) => (name in measures ? `${name}:${facet}` : name === "count" ? "" : name);

/** Whether it needs a facet to be named. @param {Measure} measure */
export const isOfFacet = ({ name }) => name in measures;

/** `compute` of a query. @param {Measure} measure @param {number} [interval] @returns {Record<string, unknown>} */
export function compute({ name, facet }, interval) {
  const aggregation = name === "count" ? "count" : (measures[name]?.aggregation ?? "cardinality");
  return { aggregation, ...(facet && { metric: facet }), ...(interval && { interval }) };
}

/** Whether the numbers of groups or bars add up to that of all; 0 is then what nothing is. @param {Measure} measure */
export const isAdditive = ({ name }) => name === "count" || (measures[name]?.additive ?? false);

/** Whether it is a number of things: 0 where nothing is. @param {Measure} measure */
export const isCount = (measure) => isAdditive(measure) || measure.name === "distinct" || measure.name in people;

/** @param {Measure} measure @returns {string} */
export const wordsOf = ({ name, facet }) => (name === "count" ? "events" : (people[name] ?? `${measures[name].title} of ${facet}`));

const NANOSECONDS = /^@((view|action|resource|long_task|error|vital)\.(.+\.)?(loading_time|time_spent|duration|first_byte|dom_\w+|load_event|largest_contentful_paint|first_contentful_paint|first_input_delay|interaction_to_next_paint))$/;
const BYTES = /(^@resource\.(size|\w+_body_size)$)|[._]bytes$/;
/** Ends of names that say a unit of time. @type {[RegExp, number][]} */
const TIMES = [[/[._](ns|nanoseconds)$/, 1e-6], [/[._](ms|milliseconds|millis)$/, 1], [/[._](s|sec|secs|seconds)$/, 1000]];

const plain = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

/** @param {number} value @returns {string} */
const number = (value) => plain.format(value);

/** How a measure's numbers are written: what Datadog measures in nanoseconds or bytes, and names that say their unit.
 * @param {Measure} measure @returns {(value: number) => string} */
export function writerOf(measure) {
  const { name, facet } = measure;
  if (!(name in measures)) return count;
  if (name === "distinct") return count;
  if (NANOSECONDS.test(facet)) return (value) => duration(value / 1e6);
  if (BYTES.test(facet)) return size;
  const found = TIMES.find(([pattern]) => pattern.test(facet));
  return found ? (value) => duration(value * found[1]) : number;
}
