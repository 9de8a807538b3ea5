// Funnel: who did one thing after another, where they left, and who they are.
import { html, useMemo } from "../vendor/vendor.js";
import { ask, requestOf, useAnswer } from "./ask.js";
import { FunnelBars } from "./funnelbars.js";
import { useStore } from "../shared/hooks.js";
import { People } from "./people.js";
import { Card, change, Choice, lastOf, many, one, Report, spanOf } from "./report.js";
import { StepsEditor } from "./stepseditor.js";
import { journey, letter, stepOf, written } from "./steps.js";
import { Takeaway } from "./takeaway.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("./steps.js").Step} Step */
/** @typedef {{step: Step, reached: number, time: number | null}} Stage `time`: ms on average from the step before */

const MOST_SHOWN = 200;
/** @type {Record<string, {key: string, words: string}>} */
export const entities = {
  sessions: { key: "@session.id", words: "sessions" },
  users: { key: "@usr.id", words: "users" },
  accounts: { key: "@account.id", words: "accounts" },
};

/** @param {Step[]} steps @param {string} key @param {string} last @returns {[string, string, Record<string, unknown>]} */
const question = (steps, key, last) => ["journey/funnel", "journey_request", { ...spanOf(last), query: { search: journey(steps, key) } }];

/** @param {Stage[]} stages @param {string} words */
const sheet = (stages, words) => [["step", words, "average ms from the step before"], ...stages.map(({ step, reached, time }) => [step.text, reached, time])];

/** @param {Step[]} steps @param {string} key @param {string} last @param {AbortSignal} signal @returns {Promise<Stage[]>} */
async function staged(steps, key, last, signal) {
  if (steps.length < 2) return [];
  const answer = await ask(...question(steps, key, last), signal);
  const times = [null, ...answer.funnel_steps.map((/** @type {any} */ step) => step.elapsed_time_to_next_step?.avg ?? null)];
  return steps.map((step, n) => ({ step, reached: answer.funnel_steps[n].value, time: times[n] }));
}

/** Those who reached the step before this one, and not this one. @param {Step[]} steps @param {string} key @param {string} last @param {number} step @param {AbortSignal} signal */
async function left(steps, key, last, step, signal) {
  const query = {
    search: journey(steps, key),
    target: { type: "node", value: letter(step - 1) },
    conversion_type: "drop-off",
    entity_columns: ["@usr.id", "@account.id"].filter((facet) => facet !== key),
    limit: MOST_SHOWN,
  };
  const answer = await ask("journey/list", "journey_list_request", { ...spanOf(last), query }, signal);
  return { total: answer.total_count, records: answer.records };
}

/** @param {{page: Page}} props */
export function Funnel({ page }) {
  const { router } = page;
  useStore(router);
  const { place } = router;
  const last = lastOf(place, "7d");
  const by = one(place, "by", "sessions") in entities ? one(place, "by", "sessions") : "sessions";
  const { key, words } = entities[by];
  const texts = many(place, "step");
  const steps = useMemo(() => texts.map(stepOf), [texts.join("\n")]);
  const asked = useAnswer(JSON.stringify([texts, key, last]), (signal) => staged(steps, key, last, signal));
  const lost = Number(one(place, "lost", "0"));
  const shown = lost > 0 && lost < steps.length;
  const gone = useAnswer(JSON.stringify(shown ? [texts, key, last, lost] : null), (signal) =>
    shown ? left(steps, key, last, lost, signal) : Promise.resolve({ total: 0, records: [] }),
  );
  /** @param {Step[]} wanted */
  const set = (wanted) => change(page, { step: wanted.map(written), lost: null });
  const stages = asked.answer ?? [];
  const controls = html`<${Choice}
    label="Count by"
    value=${by}
    options=${Object.entries(entities).map(([name, entity]) => [name, entity.words])}
    onChoose=${(/** @type {string} */ value) => change(page, { by: value === "sessions" ? null : value, lost: null })}
  />`;
  return html`<${Report} page=${page} title="Funnel" last=${last} controls=${controls}>
    <div class="funnel">
      <${StepsEditor} steps=${steps} last=${last} onSteps=${set} />
      <div class="funnel-side">
        <${Card} asked=${asked} empty=${stages.length < 2} nothing="A funnel has two steps or more: add what people do first, and what they should do next." label="Funnel">
          <${FunnelBars} stages=${stages} words=${words} lost=${shown ? lost : 0} onLost=${(/** @type {number} */ step) => change(page, { lost: String(step) }, { push: true })} />
          <p class="card-foot"><span class="spring"></span><${Takeaway} name="funnel" rows=${() => sheet(stages, words)} request=${requestOf(...question(steps, key, last))} /></p>
        <//>
        ${shown &&
        html`<${People}
          page=${page}
          asked=${gone}
          title=${`Left before ${steps[lost].text}`}
          entity=${key}
          onClose=${() => router.leave({ more: { ...place.more, lost: [] } })}
        />`}
      </div>
    </div>
  <//>`;
}

/** @param {Page} page @returns {import("../shared/keys.js").Binding[]} */
export const funnelKeys = (page) => [{ keys: ["Escape"], shown: ["Esc"], what: "close the list", run: () => change(page, { lost: null }) }];
