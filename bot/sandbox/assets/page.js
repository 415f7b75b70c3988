// The window as a whole: who one is, where one looks, the story's time, and the way back to the sandbox.
import { act, inZone, make, onTold, state, storyNow, AWAY, HOME, $ } from "/assets/state.js";
import { show as showMessages } from "/assets/talk.js";
import { showModal } from "/assets/dialog.js";
import { closeInstall, happen, pointAtNews, renewWelcome, toast, welcome } from "/assets/signs.js";
import { suggest } from "/assets/compose.js";

const EVENTS = [
  ["return", "A piece comes back"], ["digest", "The morning digest"], ["report", "Monday's report"], ["cancel", "Stannp cancels a drop"],
  ["down", "Stannp is down"], ["slow", "Slack is slow"], ["silent", "The webhook falls silent"], ["workflow", "A workflow asks"],
  ["approvals", "Approvals by a second person"], ["second", "A second workspace installs it"],
];
const FAILED = "This page couldn't show everything. Reload it to see the rest.";
const PERSONS = [["U0GUS", "Be a guest"], ["U0DANA", "Be the second admin"]];

function goTo(channel) {
  state.channel = channel;
  sessionStorage.setItem("channel", channel);
  if (channel === HOME) act({ kind: "home" });
  show();
}

function be(person, team = "") {
  state.me = person;
  state.team = team;
  state.thread = "";
  sessionStorage.setItem("me", person);
  sessionStorage.setItem("team", team);
  $("who").value = `${team}:${person}`;
  state.data.modal = null;
  state.data.home = null;
  if (state.channel.startsWith("D")) state.channel = "C0OPS";
  if (state.channel === HOME) act({ kind: "home" });
  look("").catch(() => {});
}

let pointed = new Set();
function showChannels() {
  const newest = (id) => state.data.messages.findLast((one) => one.channel === id)?.ts ?? "";
  const entry = (id, label, note, isNew) => ({ id, label, note, isNew });
  const list = [entry(HOME, "Piecewise (Home)", "", false), ...state.data.channels.map((one) => entry(one.id, one.direct ? "Piecewise (direct)" : `# ${one.name}`, one.bot ? "" : " · bot not invited", newest(one.id) > (state.read[one.id] ?? "") && one.id !== state.channel))];
  const key = JSON.stringify([list, state.channel]);
  const box = $("channels");
  if (box.dataset.shown === key) return;
  const held = document.activeElement?.dataset?.channel;
  box.dataset.shown = key;
  box.replaceChildren(...list.map(({ id, label, note, isNew }) => make("li", {}, make("button", {
    type: "button", "data-channel": id, "aria-current": id === state.channel ? "page" : undefined, class: isNew ? "new" : "", onclick: () => goTo(id),
  }, label, ...(note ? [make("small", {}, note)] : []), ...(isNew ? [make("span", { class: "sr" }, ", new messages")] : [])))));
  if (held) box.querySelector(`[data-channel="${held}"]`)?.focus({ preventScroll: true });
  // On a phone the list is a strip, in which what is new may lie beyond the edge.
  const fresh = list.find((one) => one.isNew && !pointed.has(one.id))?.id ?? state.channel;
  pointed = new Set(list.filter((one) => one.isNew).map((one) => one.id));
  const [seen, place] = [box.getBoundingClientRect(), box.querySelector(`[data-channel="${fresh}"]`).getBoundingClientRect()];
  box.scrollLeft += Math.max(0, place.right + 8 - seen.right) || Math.min(0, place.left - 8 - seen.left);
}

// Piecewise's own page has these two tabs in Slack.
function showTabs() {
  const direct = state.data.channels.find((one) => one.direct)?.id;
  const box = $("tabs");
  box.hidden = !direct || ![HOME, direct].includes(state.channel);
  const key = JSON.stringify([direct, state.channel]);
  if (box.hidden || box.dataset.shown === key) return;
  const held = box.contains(document.activeElement);
  box.dataset.shown = key;
  box.replaceChildren(...[[HOME, "Home"], [direct, "Messages"]].map(([id, label]) => make("button", {
    type: "button", "aria-current": id === state.channel ? "page" : undefined, onclick: () => goTo(id),
  }, label)));
  if (held) box.querySelector("[aria-current]").focus({ preventScroll: true });
}

function showTime() {
  const { paused, day_seconds: pace, going_on: going } = state.data;
  $("day").textContent = inZone(storyNow(), { weekday: "short", month: "short", day: "numeric", year: "numeric" });
  $("day").dateTime = storyNow().toISOString();
  $("pace").textContent = paused ? "paused" : going?.waits ? "waits for an approval" : going?.greets ? "waits: welcome is open" : inZone(storyNow(), { hour: "numeric", minute: "2-digit" });
  $("pause").textContent = paused ? "Play" : "Pause";
  $("pause").setAttribute("aria-pressed", String(Boolean(paused)));
  const select = $("speed");
  if (document.activeElement !== select) {
    if (![...select.options].some((one) => Number(one.value) === pace)) select.append(make("option", { value: pace }, `A day in ${pace} s`));
    select.value = String(pace);
  }
  if (going?.installed) closeInstall();
  renewWelcome();
  for (const name of ["down", "slow", "silent"]) document.querySelector(`[data-event=${name}]`)?.setAttribute("aria-pressed", String(Boolean(going?.[name])));
}

function show() {
  const who = $("who");
  const people = state.data.people.map((one) => ({ ...one, team: one.team === state.data.people[0].team ? "" : one.team }));
  if (who.options.length !== people.length) {
    who.replaceChildren(...people.map((one) => make("option", { value: `${one.team}:${one.id}`, selected: one.id === state.me }, `${one.name}${one.note ? ` (${one.note})` : ""}`)));
  }
  if (!people.some((one) => one.id === state.me)) { be("U0ANA"); return; }
  document.querySelector("h1").textContent = state.data.team;
  if (state.channel !== HOME && !state.data.channels.some((one) => one.id === state.channel)) state.channel = state.data.channels[0].id;
  showTime();
  suggest();
  pointAtNews();
  showMessages();
  showChannels();
  showTabs();
  showModal();
}

let asked = 0;
// What the sandbox tells; undefined where a later question was asked meanwhile, as somebody else. Raises while it is away.
async function fetched(since) {
  const turn = ++asked;
  const answer = await fetch(`/state?user=${state.me}&team=${state.team}&window=${state.window}&since=${since}${$("welcome").hidden ? "" : "&welcome"}`);
  if (!answer.ok) throw new Error("between two stories");
  const told = await answer.json();
  return turn === asked ? told : undefined;
}

function take(told) {
  const installed = told.team === state.data.team && told.installed && !state.data.installed;
  const anew = state.data.story !== undefined && told.story !== state.data.story;
  Object.assign(state.data, told);
  if (anew) { state.thread = ""; state.read = {}; toast("The story begins anew."); }
  if (installed && state.channel === HOME) act({ kind: "home" });
  if (told.version) show(); else showTime();
}

async function look(since) {
  const told = await fetched(since);
  // A fault of this page is no outage: it is told as what it is, and the next look shows what it can.
  try { if (told) take(told); } catch (fault) { console.error(fault); failed(); }
}

function failed() { $("note").textContent = FAILED; }

async function follow() {
  for (;;) {
    try {
      await look(state.data.version ?? "");
      if ($("note").textContent === AWAY) $("note").textContent = "";
    } catch {
      $("note").textContent = AWAY;
      await new Promise((wait) => setTimeout(wait, 800));
      state.data.version = "";
    }
  }
}

addEventListener("error", failed);
addEventListener("unhandledrejection", failed);

const lamp = (name) => document.documentElement.dataset.theme = name;
if (localStorage.getItem("theme")) lamp(localStorage.getItem("theme"));
$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  localStorage.setItem("theme", lamp(dark === "dark" ? "light" : "dark"));
});
$("pause").addEventListener("click", () => act({ kind: "story", name: state.data.paused ? "play" : "pause" }));
$("next").addEventListener("click", () => happen("next"));
$("restart").addEventListener("click", () => { toast("Beginning anew…"); act({ kind: "story", name: "restart" }); });
$("speed").addEventListener("change", (event) => act({ kind: "story", name: "speed", value: Number(event.target.value) }));
$("who").addEventListener("change", (event) => { const [team, person] = event.target.value.split(":"); be(person, team); });
$("makes").append(
  ...EVENTS.map(([name, label]) => make("button", { type: "button", "data-event": name, onclick: () => happen(name) }, label)),
  ...PERSONS.map(([id, label]) => make("button", { type: "button", onclick: () => { be(id); toast(`You are ${state.data.people.find((one) => one.id === id)?.name} now.`); } }, label)));
$("events").open = innerWidth > 720;
document.addEventListener("moved", () => show());
onTold(({ said, channel, link }) => {
  const there = state.channel !== channel && state.data.channels.some((one) => one.id === channel);
  toast(said, there ? () => goTo(channel) : undefined, said, link);
});
welcome();
follow();
