// What this window knows, and how it asks for more. Everything else imports this, and this imports nothing.

export const HOME = "home";
export const AWAY = "The sandbox is away. If it has ended, start it again with make demo.";
export const state = {
  me: sessionStorage.getItem("me") ?? "U0ANA", team: sessionStorage.getItem("team") ?? "", channel: sessionStorage.getItem("channel") ?? "C0OPS", thread: "",
  data: { users: [], channels: [], messages: [], zone: "UTC", now: 0 }, read: {}, window: Math.random().toString(36).slice(2),
  // Until when what happens elsewhere is pointed at (see signs.js).
  watching: 0,
};
export const $ = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export const nameOf = (id) => state.data.users.find((user) => user.id === id)?.name ?? ({ [state.data.bot]: "Piecewise", UWORKFLOW: "Morning workflow" }[id] ?? id);
export const channelOf = (id) => state.data.channels.find((channel) => channel.id === id);
export const placeName = (channel) => (channel.direct ? "Piecewise (direct)" : `#${channel.name}`);

const ON_DAY = { year: "numeric", month: "2-digit", day: "2-digit" };
export const inZone = (moment, form) => moment.toLocaleString("en-US", { timeZone: state.data.zone, ...form });
export const dayKey = (moment) => inZone(moment, ON_DAY);
export const storyNow = () => new Date(state.data.now * 1000);
const DAY = 86_400_000;

// "today", "yesterday", "tomorrow", or "" for any other day of the story.
export function relativeDay(moment) {
  const key = dayKey(moment);
  for (const [name, shift] of [["today", 0], ["yesterday", -DAY], ["tomorrow", DAY]]) {
    if (dayKey(new Date(storyNow().getTime() + shift)) === key) return name;
  }
  return "";
}

export const clockTime = (moment) => inZone(moment, { hour: "numeric", minute: "2-digit" });
export const momentOf = (ts) => new Date(Number(ts.split(".")[0]) * 1000);
export const saidWhen = (ts) => `${relativeDay(momentOf(ts)) || inZone(momentOf(ts), { month: "short", day: "numeric" })} at ${clockTime(momentOf(ts))}`;

let tell = () => {};
export const onTold = (told) => { tell = told; };

export async function act(wish) {
  const body = JSON.stringify({ user: state.me, team: state.team, window: state.window, ...wish });
  const answer = await fetch("/do", { method: "POST", body }).catch(() => null);
  if (!answer) { $("note").textContent = AWAY; return { ok: false }; }
  if (!answer.ok) { $("note").textContent = "The story is just beginning. Try again in a moment."; return { ok: false }; }
  const done = await answer.json();
  $("note").textContent = done.ok ? done.note : `Slack says: ${done.error}`;
  $("note").classList.toggle("hint", Boolean(done.note));
  if (done.said) tell(done);
  return done;
}
