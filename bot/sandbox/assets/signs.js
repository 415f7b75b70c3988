// Signs of what happens elsewhere: toasts that jump there, and the welcome.
import { act, channelOf, make, placeName, state, HOME, $ } from "/assets/state.js";
import { short } from "/assets/mrkdwn.js";
import { jump, makeRoom } from "/assets/talk.js";

const isPhone = () => innerWidth <= 720;
const most = () => (isPhone() ? 2 : 3);
const STAYS = 9_000;

// `go`: what its button does; `key`: a later toast of the same key takes its place. `news` makes room for what is said
// about one's own doing.
export function toast(text, go, key = text, link = "", news = false) {
  for (const old of $("toasts").children) if (old.dataset.key === key) old.remove();
  const box = make("div", { class: news ? "toast news" : "toast", "data-key": key }, make("span", {}, text));
  // Under a dialog nobody reads it, or can press it.
  const leave = () => { if (box.matches(":hover, :focus-within") || document.querySelector("dialog[open]")) setTimeout(leave, STAYS); else box.remove(); };
  if (go) box.append(make("button", { type: "button", class: "btn", onclick: () => { box.remove(); go(); } }, "Jump"));
  if (link) box.append(make("a", { class: "btn install", href: link, target: "_blank" }, "Install"));
  box.append(make("button", { type: "button", class: "plain", "aria-label": "Dismiss", onclick: () => box.remove() }, "✕"));
  makeRoom(() => {
    $("toasts").append(box);
    while ($("toasts").children.length > most()) ($("toasts").querySelector(".news") ?? $("toasts").firstChild).remove();
  });
  // What leads on stays until it is closed.
  if (!link) setTimeout(leave, STAYS);
}

// Once the page that it leads to has done its work.
export function closeInstall() {
  for (const link of document.querySelectorAll(".toast .install")) link.closest(".toast").remove();
}

const known = new Set();
let begun = "";

const isSeen = (one) => one.channel === state.channel && (!one.thread || one.thread === state.thread);

// Points at the bot's new messages that this window does not show, for a while after somebody did something here.
export function pointAtNews() {
  const story = `${state.data.story} ${state.me}`;
  const fresh = state.data.messages.filter((one) => !known.has(one.ts));
  if (begun === story && Date.now() < state.watching) {
    for (const one of fresh) {
      if (one.user === state.me || isSeen(one)) continue;
      const place = channelOf(one.channel);
      if (place) toast(`${placeName(place)}${one.thread ? " (thread)" : ""}: ${short(one.text, isPhone() ? 60 : 90)}`, () => jump(one), one.thread ?? one.channel, "", true);
    }
  }
  begun = story;
  known.clear();
  for (const one of state.data.messages) known.add(one.ts);
}

// ---- The welcome --------------------------------------------------------------------------------------------------

const say = (text) => {
  if (state.channel === HOME) { state.channel = "C0OPS"; document.dispatchEvent(new Event("moved")); }
  state.sent = true;
  act({ kind: "say", channel: state.channel, text });
};
// What can be cancelled now. The story waits while the welcome is open, but for what is made to happen.
const booked = () => state.data.going_on?.booked || "Holiday postcards";
// Who looks, among the people of the team; nobody until these are told.
const team = () => (state.data.people ?? []).filter((one) => (one.team === state.data.people[0].team) === !state.team);
const firstName = (one) => one.name.split(" ")[0];
const greeting = () => {
  const me = team().find((one) => one.id === state.me);
  if (!me) return "This is the Slack of Acme Outdoors. ";
  if (me.note === "guest") return `You're ${firstName(me)}, a guest in the Slack of ${state.data.team}: you can ask about what a channel was shown. `;
  return `You're ${firstName(me)}, in the Slack of ${state.data.team}. `;
};
// Only who may cancel gets far with the last step.
const stopping = () => {
  const admins = team().filter((one) => one.note.startsWith("admin"));
  const mine = !admins.length || admins.some((one) => one.id === state.me);
  const who = mine ? "Ask for it" : `${admins.map(firstName).join(" and ")} can cancel it: be one of them, ask for it`;
  return `${booked()} isn't printed yet. ${who}, then press Cancel…`;
};
const told = (words) => (typeof words === "function" ? words() : words);
const STEPS = [
  ["Ask where your mail is", () => `${greeting()}Their postcards are on the way, and Piecewise knows where.`, "Ask /mailstatus Spring", () => say("/mailstatus Spring")],
  ["See news arrive", "#mail-ops has mail alerts on. Let a piece come back, and watch the bot tell the channel.", "A piece comes back", () => happen("return")],
  ["Stop what can still be stopped", stopping, () => `Ask /mailstatus ${booked()}`, () => say(`/mailstatus ${booked()}`)],
];
export const happen = (name) => { state.watching = Date.now() + 30_000; return act({ kind: "event", name }); };

// Says anew what has changed under the open step.
let renew = () => {};
export const renewWelcome = () => renew();

export function welcome(step = 0) {
  const box = $("welcome");
  const end = () => { localStorage.setItem("welcomed", "yes"); box.hidden = true; $("text").focus(); };
  if (localStorage.getItem("welcomed") || step >= STEPS.length) { if (step) end(); box.hidden = true; return; }
  const [title, text, label, work] = STEPS[step];
  box.hidden = false;
  renew = () => { if (!box.hidden && !box.textContent.includes(told(text))) welcome(step); };
  const next = make("button", { type: "button", class: "btn", onclick: () => { welcome(step + 1); box.querySelector(".btn")?.focus(); } }, step + 1 < STEPS.length ? "Next" : "Done");
  box.replaceChildren(
    make("div", {}, make("strong", {}, `${step + 1} of ${STEPS.length}: ${title}. `), told(text)),
    make("div", { class: "ways" }, make("button", { type: "button", class: "btn primary", onclick: work }, told(label)), next,
      make("button", { type: "button", class: "plain", "aria-label": "Close the welcome", onclick: end }, "✕")));
}
