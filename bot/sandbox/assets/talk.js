// The messages of a channel, the thread beside them, and each message's menu. What did not change stays where it is.
import { act, dayKey, make, momentOf, nameOf, relativeDay, saidWhen, clockTime, inZone, state, storyNow, HOME, $ } from "/assets/state.js";
import { blocks, content } from "/assets/blocks.js";
import { hasDates } from "/assets/mrkdwn.js";
import { toast } from "/assets/signs.js";

export const focusKey = (box) => (box?.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key ?? "" : "");
export function refocus(box, key) {
  const found = key && [...box.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
  if (found) found.focus({ preventScroll: true });
  return Boolean(found);
}

const here = () => state.data.messages.filter((one) => one.channel === state.channel);
const people = (ids) => [...new Set(ids)].slice(0, 3);

function openThread(ts) {
  state.thread = ts;
  // What points there has done its work.
  for (const sign of [...$("toasts").children]) if (sign.dataset.key === ts) sign.remove();
  show();
  $("unthread").focus({ preventScroll: true });
  $("replies").scrollTop = $("replies").scrollHeight;
}

function closeThread() {
  const ts = state.thread;
  state.thread = "";
  show();
  (document.querySelector(`[data-ts="${ts}"] .replies`) ?? $("text")).focus({ preventScroll: true });
}

function closeMenus(but) {
  for (const menu of document.querySelectorAll(".menu")) {
    if (menu === but) continue;
    menu.previousElementSibling?.setAttribute("aria-expanded", "false");
    menu.remove();
  }
}

function openMenu(button, one) {
  if (button.nextElementSibling) { closeMenus(); return; }
  closeMenus();
  const items = [
    ["Track pieces here", () => act({ kind: "shortcut", name: "track_in_message", ts: one.ts })],
    ["Reply in thread", () => openThread(one.thread ?? one.ts)],
    ["Copy text", () => navigator.clipboard?.writeText(one.text).then(() => toast("Copied."), () => toast("This browser doesn't allow copying here."))],
  ];
  const menu = make("div", { class: "menu", role: "menu", "aria-label": "Message" }, ...items.map(([label, work]) => make("button", {
    type: "button", role: "menuitem", tabindex: "-1", onclick: () => { closeMenus(); button.focus(); state.watching = Date.now() + 20_000; work(); },
  }, label)));
  menu.addEventListener("keydown", (event) => {
    const all = [...menu.children];
    const at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) all[(at + step + all.length) % all.length].focus();
    else if (event.key === "Home") all[0].focus();
    else if (event.key === "End") all.at(-1).focus();
    else if (event.key === "Escape" || event.key === "Tab") { closeMenus(); button.focus(); }
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  });
  button.setAttribute("aria-expanded", "true");
  button.after(menu);
  menu.firstChild.focus();
}
document.addEventListener("click", (event) => { if (!event.target.closest(".more")) closeMenus(); });

function message(one, replies) {
  const bot = one.user === state.data.bot;
  const name = nameOf(one.user);
  const parts = content(one);
  for (const file of one.files) {
    parts.push(make("div", { class: "block" }, make("a", { href: `/files/${file.id}?team=${state.team}`, download: file.name, class: "file" }, `📄 ${file.name}`)));
  }
  if (one.private) parts.unshift(make("div", { class: "only" }, "Only visible to you"));
  if (replies.length) {
    const last = replies.at(-1);
    parts.push(make("button", { type: "button", class: "replies", "data-key": "replies", onclick: () => openThread(one.ts) },
      `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`, make("small", {}, `last ${saidWhen(last.ts)}${people(replies.map((reply) => reply.user)).length > 1 ? `, by ${nameOf(last.user)}` : ""}`)));
  }
  const more = make("button", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": `More actions for this message by ${name}`, "data-key": "more", onclick: (event) => openMenu(event.currentTarget, one) }, "⋯");
  return make("article", { class: `message ${one.private ? "private" : ""}`, "data-ts": one.ts, "aria-label": `${name}, ${saidWhen(one.ts)}` },
    make("div", { class: `face ${bot ? "bot" : ""}`, "aria-hidden": "true" }, bot ? "P" : name[0]),
    make("div", { class: "body" },
      make("div", { class: "who-said" }, name, make("small", {}, `${clockTime(momentOf(one.ts))}${one.edits ? " · edited" : ""}`)), ...parts),
    make("div", { class: "more" }, more));
}

function dayLine(moment) {
  const name = relativeDay(moment);
  return make("div", { class: "dayline", "data-ts": `day ${dayKey(moment)}` }, make("span", {}, name ? name[0].toUpperCase() + name.slice(1) : inZone(moment, { weekday: "long", month: "long", day: "numeric" })));
}

// Puts these in the box; elements whose key is the same are left alone, with their focus and the reader's place.
function reconcile(box, wanted) {
  const known = new Map([...box.children].map((element) => [element.dataset.ts, element]));
  const inside = box !== document.activeElement && box.contains(document.activeElement);
  let before = box.firstElementChild;
  for (const { ts, key, build } of wanted) {
    let element = known.get(ts);
    known.delete(ts);
    if (!element || element.shownKey !== key) {
      const held = focusKey(element);
      const within = element?.contains(document.activeElement);
      const fresh = build();
      fresh.shownKey = key;
      if (element === before && element) before = element.nextElementSibling;
      if (element) element.replaceWith(fresh);
      // What was pressed may be gone: what the message says instead is read next.
      if (!refocus(fresh, held) && within) takeFocus(fresh);
      element = fresh;
    }
    if (element === before) before = before.nextElementSibling;
    // To put it where it stands already would take the focus from it.
    else if (element.parentNode !== box || element.nextElementSibling !== before) box.insertBefore(element, before);
  }
  for (const element of known.values()) element.remove();
  if (inside && !box.contains(document.activeElement)) takeFocus(box.lastElementChild ?? box);
}

function takeFocus(element) {
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

function entries(list, repliesOf) {
  const wanted = [];
  let day = "";
  const today = dayKey(storyNow());
  for (const one of list) {
    const on = dayKey(momentOf(one.ts));
    if (on !== day) { day = on; wanted.push({ ts: `day ${on}`, key: `${on} ${today}`, build: () => dayLine(momentOf(one.ts)) }); }
    const replies = repliesOf(one);
    const text = JSON.stringify(one);
    const dated = hasDates(text) || replies.length ? today : "";
    wanted.push({ ts: one.ts, key: `${text}${dated}${replies.length}${replies.at(-1)?.ts}`, build: () => message(one, replies) });
  }
  return wanted;
}

// The end, but never past the first line of what is newest: an answer is read from its beginning.
function newestIn(box) {
  const end = box.scrollHeight - box.clientHeight;
  const newest = box.lastElementChild;
  if (!newest) return end;
  return Math.min(end, newest.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop - 4);
}
const atEnd = (box) => newestIn(box) - box.scrollTop < 60;

// Who follows what is newest still does when something beside the messages takes of their height.
export function makeRoom(take) {
  const box = $("messages");
  // Home is read from its top, and follows nothing.
  const follows = state.channel !== HOME && atEnd(box);
  take();
  if (follows) box.scrollTop = newestIn(box);
}

// Where the eye is: what has the focus, or else the first message in sight.
function markIn(box) {
  const held = box.contains(document.activeElement) ? document.activeElement : null;
  const seen = held?.closest("[data-ts]") ?? [...box.children].find((one) => one.getBoundingClientRect().bottom > box.getBoundingClientRect().top);
  return seen && { element: seen, ts: seen.dataset.ts, key: focusKey(seen), top: (held ?? seen).getBoundingClientRect().top };
}
// The messages whose end is in sight, and the one that is used: what they grow by is brought into sight, too.
function endsIn(box) {
  const sight = box.getBoundingClientRect();
  const held = document.activeElement?.closest("[data-ts]");
  const ends = (one) => { const { bottom } = one.getBoundingClientRect(); return bottom > sight.top && bottom < sight.bottom + 8; };
  return [...box.children].map((element) => ({ element, ended: ends(element) })).filter(({ element, ended }) => ended || element === held);
}
function keepEnds(box, known) {
  const sight = box.getBoundingClientRect();
  for (const { element, ended } of known) {
    const now = box.querySelector(`[data-ts="${element.dataset.ts}"]`);
    if (!now || now === element) continue;
    const { top, bottom } = now.getBoundingClientRect();
    // A first line that is in sight stays there.
    const most = top >= sight.top ? top - 4 - sight.top : ended ? Infinity : 0;
    box.scrollTop += Math.max(0, Math.min(bottom + 4 - sight.bottom, most));
  }
}
function stayAt(box, mark) {
  const message = mark && box.querySelector(`[data-ts="${mark.ts}"]`);
  const held = message && mark.key ? [...message.querySelectorAll("[data-key]")].find((one) => one.dataset.key === mark.key) : undefined;
  if (message) box.scrollTop += (held || message).getBoundingClientRect().top - mark.top;
  if (!message || message === mark.element) return;
  // What appears below the control that was used is the answer to it, so it is brought into sight.
  const below = held?.closest(".block")?.nextElementSibling;
  const hidden = below && (below.nextElementSibling ?? below).getBoundingClientRect().bottom - box.getBoundingClientRect().bottom;
  if (hidden > -8 && hidden < box.clientHeight / 2) box.scrollTop += hidden + 8;
}
const empty = { ts: "empty", key: "empty", build: () => make("p", { class: "empty", "data-ts": "empty" }, "Nothing here yet. Type / to see what you can ask, or pick a suggestion.") };

function showHome() {
  const view = state.data.home;
  const missing = !state.data.installed;
  const build = () => make("div", { class: "home", "data-ts": "home" }, ...(view ? blocks(view.blocks, { home: true }) : [make("p", { class: "empty" }, missing ? "Piecewise isn't installed here yet." : "Opening Home…")]));
  reconcile($("messages"), [{ ts: "home", key: JSON.stringify(view) + missing + dayKey(storyNow()), build }]);
}

function showThread() {
  const pane = $("thread");
  const parent = state.thread && state.data.messages.find((one) => one.ts === state.thread);
  pane.hidden = !parent || state.channel === HOME;
  document.body.classList.toggle("threaded", !pane.hidden);
  if (pane.hidden) { $("replies").replaceChildren(); return; }
  const box = $("replies");
  const list = [parent, ...here().filter((one) => one.thread === state.thread)];
  const follow = box.dataset.newest !== list.at(-1).ts && atEnd(box);
  const [mark, ends] = [markIn(box), endsIn(box)];
  reconcile(box, entries(list, () => []));
  if (follow) box.scrollTop = newestIn(box);
  else { stayAt(box, mark); keepEnds(box, ends); }
  box.dataset.newest = list.at(-1).ts;
}

let last = "";
export function show() {
  const box = $("messages");
  const moved = last !== state.channel + state.me + state.team;
  if (moved) { box.replaceChildren(); box.scrollTop = 0; if (last) state.thread = state.jumping ? state.thread : ""; state.jumping = false; }
  last = state.channel + state.me + state.team;
  $("composer").hidden = state.channel === HOME;
  if (state.channel === HOME) { showHome(); showThread(); return; }
  const all = here();
  const known = new Set(all.map((one) => one.ts));
  const tops = all.filter((one) => !one.thread || !known.has(one.thread));
  // What is new is followed; where a message only changed, the reader stays at what is being read or pressed.
  const newest = tops.at(-1)?.ts;
  const grown = box.dataset.newest !== newest;
  const follow = moved || (grown && (atEnd(box) || state.sent));
  const [mark, ends] = [markIn(box), endsIn(box)];
  reconcile(box, tops.length ? entries(tops, (one) => all.filter((reply) => reply.thread === one.ts)) : [empty]);
  if (follow) box.scrollTop = newestIn(box);
  else { stayAt(box, mark); keepEnds(box, ends); }
  if (grown && !moved) state.sent = false;
  box.dataset.newest = newest;
  state.read[state.channel] = all.at(-1)?.ts ?? "";
  const [end, wide] = [atEnd(box), box.clientWidth];
  showThread();
  // Beside a thread the lines are shorter, and more.
  if (end && box.clientWidth !== wide) box.scrollTop = newestIn(box);
}

// Brings a message into view, with its thread when it is a reply.
export function jump(one) {
  state.jumping = true;
  state.channel = one.channel;
  state.thread = one.thread ?? "";
  document.dispatchEvent(new Event("moved"));
  const found = document.querySelector(`[data-ts="${one.ts}"]`) ?? document.querySelector(`[data-ts="${one.thread}"]`);
  found?.scrollIntoView({ block: "center" });
  found?.classList.add("found");
  found?.querySelector("button")?.focus({ preventScroll: true });
  setTimeout(() => found?.classList.remove("found"), 2500);
}

// Who scrolls up reads there.
$("messages").addEventListener("scroll", () => { if (!atEnd($("messages"))) state.sent = false; });
$("unthread").addEventListener("click", closeThread);
$("thread").addEventListener("keydown", (event) => { if (event.key === "Escape") closeThread(); });
$("replier").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("reply").value.trim();
  $("reply").value = "";
  if (text) act({ kind: "say", channel: state.channel, text, thread: state.thread });
});
