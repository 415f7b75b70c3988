// Slack's own way of writing, as elements. All text goes in as text nodes: nothing is parsed as HTML.
import { channelOf, clockTime, inZone, make, momentOf, nameOf, relativeDay } from "/assets/state.js";

const EMOJI = {
  inbox_tray: "📥", printer: "🖨️", handshake: "🤝", truck: "🚚", post_office: "🏣", mailbox_with_mail: "📬",
  leftwards_arrow_with_hook: "↩️", no_entry_sign: "🚫", grey_question: "❔", warning: "⚠️", mute: "🔇", checkered_flag: "🏁", calendar: "📅", dollar: "💵", rotating_light: "🚨", white_check_mark: "✅", x: "❌",
  white_large_square: "⬜", black_large_square: "⬛", large_purple_square: "🟪", large_blue_square: "🟦", large_yellow_square: "🟨", large_green_square: "🟩",
  large_orange_square: "🟧", large_brown_square: "🟫", white_square_button: "🔳", wave: "👋", mag: "🔍", bell: "🔔", no_bell: "🔕",
};
const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

const PLAIN_DAYS = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" }, date: { month: "long", day: "numeric", year: "numeric" },
  date_short: { month: "short", day: "numeric", year: "numeric" }, date_long: { weekday: "long", month: "long", day: "numeric", year: "numeric" },
};

function slackDate(seconds, form) {
  const moment = momentOf(seconds);
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    if (name === "time") return clockTime(moment);
    if (name === "time_secs") return inZone(moment, { hour: "numeric", minute: "2-digit", second: "2-digit" });
    const pretty = name.endsWith("_pretty");
    const days = PLAIN_DAYS[pretty ? name.slice(0, -"_pretty".length) : name];
    if (!days) return whole;
    return (pretty && relativeDay(moment)) || inZone(moment, days);
  });
}

function special(token) {
  const [, kind, rest] = token.match(/^([!@#]?)(.*)$/s);
  const [first, label] = rest.split("|");
  if (kind === "@") return make("span", { class: "mention" }, "@" + nameOf(first));
  if (kind === "#") return make("span", { class: "mention" }, "#" + (channelOf(first)?.name ?? first));
  if (kind === "!" && first.startsWith("date^")) {
    const [, seconds, form] = first.split("^");
    return make("time", { datetime: momentOf(seconds).toISOString(), title: inZone(momentOf(seconds), PLAIN_DAYS.date_long) }, slackDate(seconds, form));
  }
  if (kind === "!") return make("span", { class: "mention" }, "@" + first);
  return make("a", { href: /^(https?|mailto):/.test(first) ? unescape(first) : "#", rel: "noreferrer", target: "_blank" }, unescape(label ?? first));
}

const STYLES = [[/^`([^`\n]+)`/, "code"], [/^\*([^*\n]+)\*/, "strong"], [/^_([^_\n]+)_/, "em"], [/^~([^~\n]+)~/, "s"]];

function inline(text) {
  const out = document.createDocumentFragment();
  let plain = "";
  const flush = () => { if (plain) out.append(unescape(plain)); plain = ""; };
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at);
    const token = rest.match(/^<([^<>]+)>/);
    const emoji = rest.match(/^:([a-z_0-9]+):/);
    const styled = /[\w]$/.test(plain) ? null : STYLES.map(([form, tag]) => [rest.match(form), tag]).find(([match]) => match);
    if (token) { flush(); out.append(special(token[1])); at += token[0].length; }
    else if (emoji && EMOJI[emoji[1]]) { plain += EMOJI[emoji[1]]; at += emoji[0].length; }
    else if (styled) {
      flush();
      const [match, tag] = styled;
      out.append(make(tag, {}, tag === "code" ? unescape(match[1]) : inline(match[1])));
      at += match[0].length;
    } else if (text[at] === "\n") { flush(); out.append(make("br")); at += 1; }
    else { plain += text[at]; at += 1; }
  }
  flush();
  return out;
}

// Lines that begin with ">" are a quotation.
function lines(text) {
  const out = document.createDocumentFragment();
  for (const part of text.split(/((?:^|\n)(?:(?:&gt;|>) ?[^\n]*(?:\n|$))+)/)) {
    if (/^\n?(&gt;|>)/.test(part)) out.append(make("blockquote", {}, inline(part.trim().replace(/(^|\n)(?:&gt;|>) ?/g, "$1"))));
    else if (part) out.append(inline(part));
  }
  return out;
}

export function mrkdwn(text) {
  const out = document.createDocumentFragment();
  text.split("```").forEach((part, index, all) => {
    if (index % 2 && index < all.length - 1) out.append(make("pre", { tabindex: "0" }, unescape(part.replace(/^\n|\n$/g, ""))));
    else if (part) out.append(lines(index % 2 ? "```" + part : part));
  });
  return out;
}

export const textOf = (object) => (object.type === "mrkdwn" ? mrkdwn(object.text) : document.createTextNode(object.text));
export const hasDates = (text) => text.includes("<!date^");
// At most so much of it as a toast holds, in whole words.
export function short(text, most = 110) {
  const said = make("span", {}, mrkdwn(text)).textContent;
  return said.length <= most ? said : `${said.slice(0, Math.max(said.lastIndexOf(" ", most - 1), 0) || most - 1).replace(/[\s,.;:·]+$/, "")}…`;
}
