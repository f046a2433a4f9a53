// What happened: a timeline, a list, and one event in full.

import { api, fileOf, query } from "./api.js";
import { dayOf, el, plural, put, remember, remembered, timeOf, title, update } from "./dom.js";
import { eventRow, howLong, hueOf, merged } from "./eventlist.js";
import { feed } from "./feed.js";
import { timeline } from "./timeline.js";
import { whyView } from "./why.js";

const PERIODS = { "15 min": 900, "1 h": 3600, "6 h": 6 * 3600, "24 h": 86400, "7 d": 7 * 86400 };
const MOST = 2000;
const PAGE = 60;

export function eventsView(main, chosen) {
  const filter = { camera: "", rule: "", zone: "", open_only: false, period: remembered("period", "1 h") };
  let events = [];
  let selected = chosen || null;
  let rows = PAGE;
  let asked = 0;
  let soon = 0;
  let player = null; // of the event that is shown: not to be built anew while it plays

  const line = timeline((id) => (location.hash = `#/events/${id}`));
  const list = el("div", { class: "events" });
  const more = el("button", { class: "wide", onclick: () => ((rows += PAGE), draw()) }, "Show more");
  const detail = el("aside", { class: "side detail" });
  const count = el("p", { class: "summary", role: "status" });
  const choices = { camera: el("select"), rule: el("select"), zone: el("select") };
  for (const [key, node] of Object.entries(choices)) {
    node.setAttribute("aria-label", title(key));
    node.onchange = () => ((filter[key] = node.value), load());
  }
  const openOnly = el("input", { type: "checkbox", onchange: ({ target }) => ((filter.open_only = target.checked), load()) });
  const periods = el(
    "div",
    { class: "chips", role: "group", "aria-label": "Period" },
    Object.keys(PERIODS).map((word) => el("button", { class: "chip", data: { period: word }, onclick: () => setPeriod(word) }, word)),
  );
  main.className = "split";
  main.append(
    el(
      "section",
      { class: "fill" },
      el("div", { class: "head" }, el("h1", {}, "Events"), count, el("span", { class: "grow" }), periods),
      el("div", { class: "filters" }, Object.values(choices), el("label", { class: "check" }, openOnly, "Open only")),
      el("div", { class: "card lanes" }, line.node),
      list,
    ),
    detail,
  );

  function setPeriod(word) {
    filter.period = word;
    remember("period", word);
    load();
  }

  async function load() {
    const mine = ++asked;
    soon = 0;
    const { period, ...wanted } = filter;
    const since = Math.floor(Date.now() / 1000 - PERIODS[period]);
    const found = [];
    try {
      for (let before = null; found.length < MOST; ) {
        const page = await api.get(`api/events?${query({ ...wanted, since, before, limit: 500 })}`);
        if (mine !== asked) return;
        found.push(...page.events);
        before = page.next;
        if (before === null) break;
      }
      events = found;
      draw();
      if (selected) show(selected);
    } catch (problem) {
      if (mine === asked) put(list, el("p", { class: "error" }, problem.message));
    }
  }

  function fits(event) {
    return ["camera", "rule", "zone"].every((key) => !filter[key] || event[key] === filter[key]) && !(filter.open_only && event.end !== null);
  }

  function drawChoices() {
    const known = { camera: Object.keys(feed.cameras), rule: [], zone: [] };
    for (const [key, node] of Object.entries(choices)) {
      const values = [...new Set([...known[key], ...events.map((event) => event[key]), filter[key]])].filter(Boolean).sort();
      const text = values.join("\n");
      if (node.dataset.text === text) continue; // a list that is open stays so
      node.dataset.text = text;
      put(node, el("option", { value: "" }, `All ${key}s`), ...values.map((value) => el("option", { value, selected: value === filter[key] }, value)));
    }
  }

  function drawLine() {
    const now = Date.now() / 1000;
    const cameras = [...new Set([...Object.keys(feed.cameras), ...events.map((event) => event.camera)])].filter((camera) => !filter.camera || camera === filter.camera);
    line.draw(events, cameras, { from: now - PERIODS[filter.period], to: now + PERIODS[filter.period] * 0.01, now, selected });
  }

  function draw() {
    const open = events.filter((event) => event.end === null).length;
    count.textContent = `${plural(events.length, "event")}${events.length >= MOST ? " and more" : ""}${open ? `, ${open} open` : ""}`;
    for (const button of periods.children) button.setAttribute("aria-pressed", String(button.dataset.period === filter.period));
    drawChoices();
    drawLine();
    const nodes = [];
    let day = "";
    for (const event of events.slice(0, rows)) {
      if (dayOf(event.start) !== day) nodes.push(el("h2", { class: "day" }, (day = dayOf(event.start))));
      nodes.push(eventRow(event, { current: event.id === selected }));
    }
    if (!events.length) nodes.push(el("p", { class: "empty" }, "No events in this time."));
    if (events.length > rows) nodes.push(more);
    update(list, ...nodes);
  }

  // --- one event ---

  async function show(id) {
    let event = events.find((other) => other.id === id);
    if (!event) {
      try {
        event = await api.get(`api/events/${encodeURIComponent(id)}`);
      } catch (problem) {
        put(detail, el("p", { class: "error" }, problem.message));
        return;
      }
    }
    if (id !== selected) return;
    const stays = player?.id === id && player.files === filesOf(event);
    if (!stays) player = media(event);
    const index = events.findIndex((other) => other.id === id);
    const step = (to, word, sign) =>
      el("a", { class: "step", "aria-label": word, title: word, href: events[to] ? `#/events/${events[to].id}` : null, "aria-disabled": String(!events[to]) }, sign);
    (stays ? update : put)(
      detail,
      el("div", { class: "head" }, el("a", { class: "back", href: "#/events", "aria-label": "Close" }, "‹"), el("h2", {}, el("i", { class: `swatch ${hueOf(event)}` }), title(event.rule)), event.end === null && el("span", { class: "pill alarm" }, "open"), el("span", { class: "grow" }), step(index + 1, "Earlier", "↓"), step(index - 1, "Later", "↑")),
      el("p", { class: "lead" }, el("a", { href: `#/camera/${event.camera}` }, event.camera), ` · ${event.zone || "whole picture"} · `, el("time", {}, `${dayOf(event.start)}, ${timeOf(event.start)}`), ` · ${howLong(event)}`),
      player.node,
      whyView(event),
    );
  }

  const filesOf = (event) => [event.clip, event.snapshot, event.evidence].map(Boolean).join();

  function media(event) {
    const kinds = ["clip", "snapshot", "evidence"].filter((kind) => event[kind]);
    const box = el("div", { class: "stage media" });
    const chips = el("div", { class: "chips under", role: "group", "aria-label": "Pictures" });
    function pick(kind) {
      for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.kind === kind));
      const source = fileOf(event, kind);
      if (kind !== "clip") {
        put(box, el("a", { href: source, target: "_blank", rel: "noopener" }, el("img", { src: source, alt: title(kind), class: "picture" })));
        return;
      }
      const video = el("video", { src: source, controls: true, preload: "auto", muted: true, playsinline: true, poster: event.snapshot ? fileOf(event, "snapshot") : null });
      video.onerror = () => put(box, el("p", { class: "over" }, "This browser cannot play the clip. ", el("a", { href: source, download: `${event.id}` }, "Save it"), " and play it elsewhere."));
      put(box, video);
    }
    if (!kinds.length) box.append(el("p", { class: "over" }, event.end === null ? "Its pictures are being made." : "It has no pictures, or no longer."));
    chips.append(...kinds.map((kind) => el("button", { class: "chip", data: { kind }, onclick: () => pick(kind) }, title(kind))));
    if (kinds.length) pick(kinds[0]);
    return { id: event.id, files: filesOf(event), node: el("div", {}, box, kinds.length > 0 && chips) };
  }

  function choose(id) {
    selected = id || null;
    document.body.classList.toggle("has-detail", selected !== null);
    player = null;
    if (selected) show(selected);
    else put(detail, el("p", { class: "empty" }, "Choose an event to see what happened and why it was told."));
    for (const row of list.querySelectorAll("a.event")) {
      if (row.dataset.id === selected) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    drawLine();
  }

  const offTelling = feed.on("telling", (telling) => {
    const known = events.find((event) => event.id === telling.id);
    const event = merged(known, telling);
    events = events.filter((other) => other !== known);
    if (fits(event)) events = [event, ...events].sort((a, b) => b.number - a.number).slice(0, MOST);
    draw();
    soon ||= setTimeout(load, 2000); // its pictures
  });
  const offConnection = feed.on("connection", (is) => is && load());
  const offStatus = feed.on("status", () => (drawChoices(), drawLine()));
  load();
  choose(selected);
  return {
    stay(path) {
      if (path[0] !== "events") return false;
      choose(path[1]);
      return true;
    },
    close() {
      asked += 1;
      clearTimeout(soon);
      document.body.classList.remove("has-detail");
      offTelling();
      offConnection();
      offStatus();
      line.close();
    },
  };
}
