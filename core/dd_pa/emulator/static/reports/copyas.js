// The question of a report in other words: Python, a test, a command, a widget of a dashboard at Datadog.
import { audience } from "./audience.js";
import { spans, spanOf } from "./report.js";
import { searchOf } from "./steps.js";

/** @typedef {{name: string, text: string}} Copy */
/** @typedef {import("./steps.js").Step} Step */

/** A text as Python writes it: JSON's escapes are among Python's. @param {string} text @returns {string} */
const py = (text) => JSON.stringify(text);

/** A text as a shell reads it. @param {string} text @returns {string} */
const sh = (text) => (/^[\w@.,:/=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** @param {unknown} value @returns {string} */
const json = (value) => JSON.stringify(value, null, 2);

/** @type {Record<string, string>} */
const lengths = { "1h": "hours=1", "24h": "days=1", "7d": "days=7", "30d": "days=30", "90d": "days=90" };

/** @param {number} ms @returns {string} */
const datetime = (ms) => `datetime(${new Date(ms).toISOString().slice(0, 10).split("-").map(Number).join(", ")}, tzinfo=UTC)`;

/** @param {string} last @returns {string} */
function during(last) {
  if (last in spans) return `.last(${lengths[last]})`;
  const { from, to } = spanOf(last);
  return `.between(${datetime(from)}, ${datetime(to + 1)})`;
}

/** @param {string[]} names of `dd_pa.query` @param {string} question @param {string} told @returns {Copy} */
function python(names, question, told) {
  if (question.includes(".of(audience(")) names = [...names, "audience"];
  const imports = [question.includes("datetime(") ? "from datetime import UTC, datetime\n" : "", "from dd_pa import Settings", `from dd_pa.query import ${["QueryClient", ...names].sort().join(", ")}`].filter(Boolean);
  return { name: "Python", text: `${imports.join("\n")}\n\nwith QueryClient(Settings.from_env()) as client:\n    answer = client.run(${question})\n    print(${told})\n` };
}

/** Whose events, in Python. @param {string} who */
function of(who) {
  const { audience_filters } = /** @type {any} */ (audience(who));
  if (!audience_filters) return "";
  const { formula, users, accounts, segments } = audience_filters;
  const [way, [{ name, query, segment_id }]] = Object.entries({ users, accounts, segments }).find(([, each]) => each) ?? [];
  return `.of(audience(${way}={${py(name)}: ${py(query ?? segment_id)}}${formula === name ? "" : `, formula=${py(formula)}`}))`;
}

/** What a copy of a report about some people cannot say. @param {string} who @param {string} [more] */
export const noteOf = (who, more = "") => [more, /^(segment|outside):/.test(who) && "Only this emulator knows the segment by its name: Datadog's segments have ids of their own.", who && "The command and the test cannot say whose events are meant, so they are not offered."].filter(Boolean).join(" ");

/** @param {string} who @param {string} last @param {string[]} words @returns {Copy[]} none where days or people were chosen, which the command cannot say */
const command = (who, last, words) => (last in spans && !who ? [{ name: "dd-pa query", text: `dd-pa query ${[...words, "--last", last].map(sh).join(" ")}\n` }] : []);

/** @param {string} title @param {Record<string, unknown>} definition @returns {Copy} */
const widget = (title, definition) => ({ name: "Dashboard widget", text: `${json({ definition: { title, ...definition } })}\n` });

/** What a step is in Python, without its parentheses where it is a name. @param {Step} step @returns {string} */
const inPython = (step) => (step.kind === "event" && !step.text.includes("*") ? py(step.text) : `search(${py(searchOf(step))})`);

/** @param {Step} step @returns {string} */
const inCommand = (step) => (step.kind === "event" && /^[\w.*?-]+$/.test(step.text) ? step.text : searchOf(step));

/** @param {import("./counts.js").Wanted} wanted @param {{body: any}} request @param {number | null} sum @returns {Copy[]} */
export function exploreCopies({ q, who, by, measure, last, interval, weekly }, request, sum) {
  const { query } = request.body.data.attributes;
  const { aggregation, metric } = query.compute;
  const searched = query.query.search.query;
  const method = aggregation === "count" ? ".count()" : `.aggregate(${py(aggregation)}, ${py(metric)})`;
  const asked = `search(${py(searched)})${of(who)}${method}`;
  const series = `${asked}${by && `.by(${py(by)})`}${during(last)}.every(minutes=${interval / 60_000})`;
  const compute = aggregation === "count" ? [] : ["--compute", `${aggregation === "cardinality" ? "distinct" : aggregation}:${metric}`];
  const every = interval % 86_400_000 === 0 ? `${interval / 86_400_000}d` : interval % 3_600_000 === 0 ? `${interval / 3_600_000}h` : `${interval / 60_000}min`;
  const title = `${measure.facet || "Events"}${by && ` by ${by}`}${q && `: ${q}`}`;
  return [
    python(["search"], series, "answer.rows"),
    // The sum of whole weeks is not that of the time.
    ...(who || weekly ? [] : [{
      name: "pytest",
      text: `from dd_pa import Settings\nfrom dd_pa.query import QueryClient, search\n\n\ndef test_what_is_counted() -> None:\n    with QueryClient(Settings.from_env()) as client:\n        answer = client.run(${asked}${during(last)})\n\n    assert answer.value == ${sum ?? "None"}\n`,
    }]),
    ...command(who, last, [searched, ...compute, ...(by ? ["--by", by] : []), "--interval", every]),
    widget(title, {
      type: "timeseries",
      requests: [
        {
          response_format: "timeseries",
          display_type: aggregation === "count" || aggregation === "sum" ? "bars" : "line",
          queries: [{ name: "query1", data_source: "product_analytics_extended", query: query.query, compute: { aggregation, ...(metric && { metric }) }, ...(by && { group_by: [{ facet: by, limit: 10 }] }), ...audience(who) }],
          formulas: [{ formula: "query1" }],
        },
      ],
    }),
  ];
}

/** @param {import("./funnel.js").Staged} staged @param {string} key @param {string} facet @param {string} people whose @param {string} last @param {{body: any}} request @returns {Copy[]} */
export function funnelCopies({ stages }, key, facet, people, last, request) {
  const steps = stages.map(({ step }) => step);
  const words = steps.map(inCommand);
  const names = ["funnel", ...(steps.some((step) => inPython(step).startsWith("search(")) ? ["search"] : [])];
  const { query } = request.body.data.attributes;
  const who = { "@session.id": "session", "@usr.id": "user", "@account.id": "account" }[key] ?? "session";
  const searched = names.includes("search") ? "from dd_pa.query import search\n" : "";
  return [
    python(names, `funnel(${steps.map(inPython).join(", ")}).joined_by(${py(key)})${of(people)}${facet && `.by(${py(facet)})`}${during(last)}`, "answer.reached"),
    ...(people ? [] : [{
      name: "pytest",
      text: `${searched}from dd_pa.testing import assert_funnel\n\n\ndef test_the_funnel(emulator) -> None:  # your fixture: dd_pa.emulator.Emulator()\n    assert_funnel(emulator, ${steps.map(inPython).join(", ")}, by=${py(key)}, reached=[${stages.map(({ reached }) => reached).join(", ")}])\n`,
    }]),
    ...(words.some((word) => word.includes(",")) ? [] : command(people, last, ["--funnel", words.join(","), "--entity", who, ...(facet ? ["--by", facet] : [])])),
    widget(`Funnel: ${steps.map(({ text }) => text).join(" → ")}`, {
      type: "funnel",
      requests: [{ request_type: "user_journey_funnel", query: { data_source: "product_analytics_journey", search: query.search, ...(facet && { group_by: [{ facet, limit: 10 }] }) } }],
    }),
  ];
}

/** @param {import("./retention.js").Wanted} wanted @param {{body: any}} request @returns {Copy[]} */
export function retentionCopies({ first, back, key, unit, who, last }, request) {
  const { search, compute } = request.body.data.attributes.query;
  const followed = key === "@account.id" ? ".by_account()" : "";
  const events = [first || "*", ...(back ? [back] : [])];
  return [
    python(["retention", "search"], `retention(${events.map((each) => `search(${py(each)})`).join(", ")}).every(${py(unit)})${followed}${of(who)}${during(last)}`, "answer.rows"),
    ...(events.some((each) => each.includes(",")) ? [] : command(who, last, ["--retention", events.join(","), "--period", unit, "--entity", key === "@account.id" ? "account" : "user"])),
    widget(`Retention by ${unit}`, { type: "retention_curve", requests: [{ request_type: "retention_curve", query: { data_source: "product_analytics_retention", search, compute } }] }),
  ];
}

/** @param {string} who @param {string} last @param {{body: any}} request @returns {Copy[]} */
export function pathsCopies(who, last, request) {
  const { search, definition } = request.body.data.attributes;
  const q = search.query ?? "";
  const size = `.size(steps=${definition.number_of_steps}, entries=${definition.entries_per_step})${of(who)}`;
  return [
    python(["sankey"], `sankey(${py(definition.source)})${q && `.where(${py(q)})`}${size}${during(last)}`, "answer.rows"),
    ...command(who, last, [...(q ? [q] : []), "--paths", definition.source, "--limit", String(definition.entries_per_step)]),
    widget(`Paths of ${definition.source}`, {
      type: "sankey",
      requests: [{ request_type: "sankey", query: { data_source: "product_analytics", mode: "source", query_string: q || "*", ...definition, ...audience(who) } }],
    }),
  ];
}
