// Funnel: who did one thing after another, how long it took them, where they left, and who they are.
import { html, useMemo } from "../vendor/vendor.js";
import { answered, ownRequestOf, requestOf, useAnswer } from "./ask.js";
import { audience, Audience, whoOf } from "./audience.js";
import { funnelCopies, noteOf } from "./copyas.js";
import { FunnelBars } from "./funnelbars.js";
import { FunnelGroups } from "./funnelgroups.js";
import { useStore } from "../shared/hooks.js";
import { People } from "./people.js";
import { Card, change, Choice, Facets, lastOf, many, one, Report, spanOf, Text } from "./report.js";
import { StepsEditor } from "./stepseditor.js";
import { journey, letter, stepOf, written } from "./steps.js";
import { Takeaway } from "./takeaway.js";
import { TimeSpread } from "./timespread.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("./steps.js").Step} Step */
/** @typedef {{median: number | null, pc90: number | null, counts: number[]}} Times ms; how many took the time of each bar */
/** @typedef {{step: Step, reached: number, times: Times | null}} Stage `times` from the step before */
/** @typedef {{name: string, reached: number[], times: Times}} Group */
/** @typedef {{by: string, stages: Stage[], whole: Times, edges: number[], groups: Group[]}} Staged `by`: who was counted */
/** @typedef {{texts: string[], steps: Step[], by: string, within: string, facet: string, of: number, who: string, last: string}} Wanted `by` is empty where nobody chose; `of` is the step that has the facet, from 0 */

const MOST_SHOWN = 200;
const MOST_GROUPS = 10;
const MOST_KEPT = 1_000;
/** @type {Record<string, {key: string, words: string}>} */
export const entities = {
  sessions: { key: "@session.id", words: "sessions" },
  users: { key: "@usr.id", words: "users" },
  accounts: { key: "@account.id", words: "accounts" },
};
const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
/** @type {Record<string, {words: string, ms: number | null}>} */
const windows = {
  "": { words: "as Datadog", ms: null },
  "5m": { words: "5 min", ms: 5 * MINUTE },
  "30m": { words: "30 min", ms: 30 * MINUTE },
  "1h": { words: "1 h", ms: HOUR },
  "24h": { words: "24 h", ms: DAY },
  "7d": { words: "7 d", ms: 7 * DAY },
  "30d": { words: "30 d", ms: 30 * DAY },
};

/** @param {Wanted} wanted @param {string} by @param {Record<string, unknown>} query */
function attributes({ steps, within, who, last }, by, query) {
  const { ms } = windows[within];
  return { ...spanOf(last), query: { search: { ...journey(steps, entities[by].key), ...(who && { filters: audience(who) }) }, ...query }, ...(ms && { window: ms }) };
}

/** @param {Wanted} wanted @param {string} by @returns {[string, string, Record<string, unknown>]} */
const question = (wanted, by) => ["journey/funnel", "journey_request", attributes(wanted, by, wanted.facet ? { group_by: [{ facet: wanted.facet, limit: MOST_GROUPS, target: { type: "node", value: letter(wanted.of) } }] } : {})];

/** The request to copy: Datadog's own, where it can say what was asked for. @param {Wanted} wanted @param {string} by */
const request = (wanted, by) => (windows[wanted.within].ms ? ownRequestOf : requestOf)(...question(wanted, by));

/** @param {Staged} staged */
function sheet({ by, stages, groups }) {
  const heads = ["step", entities[by].words, "median ms from the step before", ...groups.map(({ name }) => name)];
  return [heads, ...stages.map(({ step, reached, times }, n) => [step.text, reached, times?.median, ...groups.map((group) => group.reached[n])])];
}

/** @param {Wanted} wanted @param {AbortSignal} signal @returns {Promise<Staged>} */
async function staged(wanted, signal) {
  const { steps, by } = wanted;
  if (steps.length < 2) return { by: by || "sessions", stages: [], whole: { median: null, pc90: null, counts: [] }, edges: [], groups: [] };
  /** @param {string} who */
  const counted = (who) => answered(ownRequestOf(...question(wanted, who)), signal);
  let who = by || "sessions";
  let answer = await counted(who);
  if (!by && !answer.initial_count) {
    // Without browser sessions, users are whom server events can be told apart by.
    const users = await counted("users");
    if (users.initial_count) [who, answer] = ["users", users];
  }
  const { funnel_steps: found, times, edges, group_times: groups } = answer;
  return {
    by: who,
    edges,
    whole: times[0],
    stages: steps.map((step, n) => ({ step, reached: found[n].value, times: n ? times[n] : null })),
    groups: groups.map((/** @type {any} */ group, /** @type {number} */ n) => ({ name: group.group_tags[0], times: group, reached: found.map((/** @type {any} */ step) => step.groups[n].value) })),
  };
}

/** Those who reached the step before this one, and not this one. @param {Wanted} wanted @param {string} by @param {number} step @param {number} limit @param {AbortSignal} [signal] */
async function left(wanted, by, step, limit, signal) {
  const query = {
    target: { type: "node", value: letter(step - 1) },
    conversion_type: "drop-off",
    entity_columns: ["@usr.id", "@account.id"].filter((facet) => facet !== entities[by].key),
    limit,
  };
  const answer = await answered(ownRequestOf("journey/list", "journey_list_request", attributes(wanted, by, query)), signal);
  return { total: answer.total_count, records: answer.records };
}

/** @param {{page: Page, wanted: Wanted, by: string}} props */
const Controls = ({ page, wanted, by }) => html`<${Choice}
    label="Count by"
    value=${by}
    options=${Object.entries(entities).map(([name, entity]) => [name, entity.words])}
    onChoose=${(/** @type {string} */ value) => change(page, { by: value, lost: null })}
  />
  <${Choice}
    label="Within"
    value=${wanted.within}
    options=${Object.entries(windows).map(([name, each]) => [name, each.words])}
    onChoose=${(/** @type {string} */ value) => change(page, { within: value, lost: null })}
  />
  <${Text} label="By" value=${wanted.facet} list="funnel-facets" placeholder="nothing" onChoose=${(/** @type {string} */ value) => change(page, { facet: value, of: value && one(page.router.place, "of", "") })} />
  ${wanted.facet && wanted.steps.length > 1 && html`<${Choice} label="Of" value=${String(wanted.of)} options=${wanted.steps.map((_, n) => [String(n), `step ${n + 1}`])} onChoose=${(/** @type {string} */ value) => change(page, { of: value === "0" ? null : value })} />`}
  <${Audience} page=${page} />
  <${Facets} id="funnel-facets" />`;

/** What the window means, and whose idea it is. @param {Wanted} wanted @param {string} by */
const meaning = ({ within }, by) =>
  within
    ? `The best attempt of each within ${windows[within].words}. Datadog's API has no such window: this one is the emulator's.`
    : `As Datadog's API is asked: from the first time on, ${by === "sessions" ? "within the session" : "for 24 h"}.`;

/** @param {{page: Page}} props */
export function Funnel({ page }) {
  const { router } = page;
  useStore(router);
  const { place } = router;
  const last = lastOf(place, "7d");
  const texts = many(place, "step");
  const steps = useMemo(() => texts.map(stepOf), [texts.join("\n")]);
  const chosen = one(place, "by", ""), within = one(place, "within", "");
  const wanted = { texts, steps, by: chosen in entities ? chosen : "", within: within in windows ? within : "", facet: one(place, "facet", ""), of: Number(one(place, "of", "0")) in steps ? Number(one(place, "of", "0")) : 0, who: whoOf(place), last };
  const asked = useAnswer(JSON.stringify(wanted), (signal) => staged(wanted, signal));
  const { stages = [], by = wanted.by || "sessions", groups = [] } = asked.answer ?? {};
  const { key, words } = entities[by];
  const lost = Number(one(place, "lost", "0"));
  const shown = lost > 0 && lost < steps.length;
  const gone = useAnswer(JSON.stringify(shown ? [wanted, by, lost] : null), (signal) => (shown ? left(wanted, by, lost, MOST_SHOWN, signal) : Promise.resolve({ total: 0, records: [] })));
  /** @param {Step[]} edited */
  const set = (edited) => change(page, { step: edited.map(written), lost: null });
  return html`<${Report} page=${page} title="Funnel" last=${last} controls=${html`<${Controls} page=${page} wanted=${wanted} by=${by} />`}>
    <div class="funnel">
      <${StepsEditor} steps=${steps} last=${last} isAnswered=${!asked.running} onSteps=${set} />
      <div class="funnel-side">
        <${Card} asked=${asked} empty=${stages.length < 2} nothing="A funnel has two steps or more: add what people do first, and what they should do next." label="Funnel">
          <${FunnelBars} stages=${stages} words=${words} lost=${shown ? lost : 0} onLost=${(/** @type {number} */ step) => change(page, { lost: String(step) }, { push: true })} />
          ${groups.length > 0 && html`<${FunnelGroups} facet=${wanted.facet} groups=${groups} words=${words} />`}
          ${asked.answer && html`<${TimeSpread} times=${asked.answer.whole} edges=${asked.answer.edges} words=${words} />`}
          <p class="card-foot"><span class="faint">${meaning(wanted, by)}</span><span class="spring"></span><${Takeaway}
            name="funnel"
            rows=${() => sheet(/** @type {Staged} */ (asked.answer))}
            request=${request(wanted, by)}
            copies=${() => funnelCopies(/** @type {Staged} */ (asked.answer), key, wanted.facet, wanted.who, last, requestOf(...question(wanted, by)))}
            note=${noteOf(wanted.who, within ? "Without the window, which is the emulator's alone." : "")}
          /></p>
        <//>
        ${shown &&
        html`<${People}
          page=${page}
          asked=${gone}
          title=${`Left before ${steps[lost].text}`}
          entity=${key}
          most=${MOST_KEPT}
          all=${async () => (await left(wanted, by, lost, MOST_KEPT)).records}
          onClose=${() => router.leave({ more: Object.fromEntries(Object.entries(place.more).filter(([name]) => name !== "lost")) })}
        />`}
      </div>
    </div>
  <//>`;
}

/** @param {Page} page @returns {import("../shared/keys.js").Binding[]} */
export const funnelKeys = (page) => [{ keys: ["Escape"], shown: ["Esc"], what: "close the list", run: () => change(page, { lost: null }) }];
