// Commands to paste into a terminal.

/** @param {string} text @returns {string} one word for a POSIX shell */
const word = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Nothing but printable ASCII reaches a terminal: what was stored came from outside. @param {string} json @returns {string} */
const ascii = (json) =>
  json.replace(/[^\x20-\x7e\n]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** @param {string} origin @param {string} json @returns {string} */
function post(origin, json) {
  return `curl -X POST ${origin}/api/v2/prodlytics \\\n  -H 'DD-API-KEY: local' -H 'Content-Type: application/json' \\\n  -d ${word(json)}`;
}

/** Sends the event again. @param {import("./api.js").Detail} detail @returns {string} */
export function curlOf(detail, origin = location.origin) {
  const body = detail.body === null ? (detail.raw ?? "") : JSON.stringify(detail.body);
  return post(origin, ascii(body));
}

/** @param {string} origin @returns {string} */
export const firstEvent = (origin) =>
  post(origin, '{"type":"server","application":{"id":"demo"},\n      "event":{"name":"hello.sent"},"usr":{"id":"me"}}');

/** @param {string} origin @returns {string} */
export const djangoSettings = (origin) =>
  `DD_PA = {"APPLICATION_ID": "demo", "API_KEY": "local", "INTAKE_URL": "${origin}"}`;

/** @param {string} origin @returns {string} */
export const flaskSettings = (origin) =>
  `app.config.update(DD_PA_APPLICATION_ID="demo", DD_PA_API_KEY="local", DD_PA_INTAKE_URL="${origin}")`;

/** @param {string} origin @returns {string} */
export const djangoBrowser = (origin) =>
  `DD_PA["CLIENT_TOKEN"] = "publocal"\nDD_PA["RUM_OPTIONS"] = {"proxy": "${origin}/rum"}\n# and in the template: {% load dd_pa %}{% dd_pa_rum %}`;

/** @param {string} origin @returns {string} */
export const flaskBrowser = (origin) =>
  `app.config.update(DD_PA_CLIENT_TOKEN="publocal", DD_PA_RUM_OPTIONS={"proxy": "${origin}/rum"})\n# and in the template: {{ dd_pa_rum() }}`;

/** @param {string} origin @returns {string} */
export const otherBrowser = (origin) => `datadogRum.init({ /* … */ proxy: "${origin}/rum" })`;
