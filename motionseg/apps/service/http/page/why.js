// Why an event was told: the measure against its threshold, the cues, the verdict, and who took part.

import { duration, el, number, percent, title } from "./dom.js";

const MEASURES = {
  presence: (v) => percent(v),
  share: (v) => percent(v, 1),
  speed: (v) => `${number(v)} px/s`,
  count: (v) => number(v),
  crossings: (v) => number(v),
  verdict: (v) => (v ? `${percent(v)} of the zone` : "said so"),
  state: (v) => (v ? "reached" : "not reached"),
};
const NAMES = {
  presence: "Inside the zone",
  share: "Share of the zone that moves",
  speed: "Speed",
  count: "Tracks inside",
  crossings: "Crossings",
  verdict: "The picture as a whole",
  state: "State of the track",
};
const ENDS = { over: "it was over", gone: "the track was gone", gap: "the camera fell silent", size: "the size of frames changed", closed: "rules or zones were changed", moment: "it is a moment", restart: "the service was restarted" };

export function whyView(event) {
  const { reason } = event;
  return el(
    "div",
    { class: "why" },
    el("h3", {}, "Why it was told"),
    gauge(reason),
    Object.keys(reason.evidence ?? {}).length > 0 && [el("h3", {}, "What each cue said"), cues(reason.evidence)],
    reason.tracks?.length > 0 && [el("h3", {}, "Tracks"), tracks(reason.tracks)],
    el("h3", {}, "Facts"),
    facts(event),
    el("details", { class: "more" }, el("summary", {}, "As JSON"), el("pre", {}, JSON.stringify(event, null, 2))),
  );
}

function gauge(reason) {
  const { measure, value, threshold } = reason;
  const write = MEASURES[measure] ?? ((v) => number(v, 2));
  const name = NAMES[measure] ?? title(measure ?? "");
  if (threshold === undefined || threshold === null || measure === "state") {
    return el("p", { class: "measured" }, el("span", {}, name), el("strong", {}, measure === "state" ? title(reason.kind) : write(value)));
  }
  const top = Math.max(value, threshold) * 1.15 || 1;
  const bar = el("i", { class: "fill-bar" });
  const mark = el("i", { class: "mark" });
  bar.style.width = `${(100 * value) / top}%`;
  mark.style.left = `${(100 * threshold) / top}%`;
  return el(
    "div",
    { class: "gauge" },
    el("p", { class: "measured" }, el("span", {}, name), el("strong", {}, write(value))),
    el("div", { class: "track", role: "img", "aria-label": `${write(value)}; needed: ${write(threshold)}` }, bar, mark),
    el("p", { class: "hint" }, `Needed: ${write(threshold)}${reason.duration ? ` for ${duration(reason.duration)}` : ""}`),
  );
}

/** Bars to the right speak for motion, to the left against it. */
function cues(evidence) {
  const entries = Object.entries(evidence).filter(([, share]) => share !== null);
  const most = Math.max(4, ...entries.map(([, share]) => Math.abs(share)));
  return el(
    "div",
    { class: "cues" },
    entries.map(([name, share]) => {
      const bar = el("i", { class: share >= 0 ? "for" : "against" });
      bar.style.width = `${(50 * Math.abs(share)) / most}%`;
      if (share < 0) bar.style.left = `${50 - (50 * Math.abs(share)) / most}%`;
      return [el("span", {}, title(name)), el("div", { class: "axis" }, bar), el("span", { class: "num" }, `${share > 0 ? "+" : ""}${number(share, 2)}`)];
    }),
    el("span"),
    el("div", { class: "ends" }, el("span", {}, "against motion"), el("span", {}, "for motion")),
    el("span"),
  );
}

function tracks(rows) {
  const cell = (value) => el("td", { class: "num" }, value);
  const row = (track) =>
    el("tr", {}, el("th", { scope: "row" }, `#${track.id}`), cell(number(track.area)), cell(percent(track.share)), cell(number(track.speed)), el("td", {}, track.state));
  const heads = ["Track", "Area px²", "In zone", "Speed px/s", "State"];
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows.slice(0, 20).map(row)));
}

function facts(event) {
  const { reason } = event;
  const rows = {
    Verdict: title(reason.verdict ?? "none"),
    Direction: reason.direction?.replace("->", " → "),
    "Left by": reason.how,
    "Stayed for": reason.stayed === undefined ? null : duration(reason.stayed),
    "Largest area": `${number(event.peak_area)} px²`,
    Score: number(event.score, 2),
    Ended: reason.ended ? (ENDS[reason.ended] ?? reason.ended) : event.end === null ? "goes on" : null,
    Id: event.id,
  };
  const shown = Object.entries(rows).filter(([, value]) => value !== null && value !== undefined);
  return el("dl", { class: "facts-list" }, shown.map(([key, value]) => [el("dt", {}, key), el("dd", {}, value)]));
}
