// All cameras at a glance, and beside them what has happened.

import { api } from "./api.js";
import { el, number, percent, plural, put, update } from "./dom.js";
import { feed } from "./feed.js";
import { eventList } from "./eventlist.js";
import { layerButtons, wallPicture } from "./stage.js";

const GOOD = { running: "good", connecting: "busy", waiting: "bad", ended: "idle", stopped: "idle" };

export function statePill(status) {
  const odd = status.verdict && !["none", "gradual"].includes(status.verdict);
  const kind = odd ? "warn" : (GOOD[status.state] ?? "idle");
  return el("span", { class: `pill ${kind}` }, odd ? status.verdict.replaceAll("_", " ") : status.state);
}

export function wallView(main) {
  const cards = new Map();
  const layers = layerButtons("wall", ["mask", "tracks", "zones"], () => {});
  const grid = el("div", { class: "wall" });
  const summary = el("p", { class: "summary" });
  const events = eventList({ limit: 30 });
  main.className = "split";
  main.append(
    el(
      "section",
      { class: "fill" },
      el("div", { class: "head" }, el("h1", {}, "Cameras"), summary, el("span", { class: "grow" }), layers.node),
      grid,
    ),
    el("aside", { class: "side" }, el("div", { class: "head" }, el("h2", {}, "Latest events"), el("span", { class: "grow" }), el("a", { href: "#/events" }, "All")), events.node),
  );

  function card(name, interval) {
    const picture = wallPicture(name, layers.list, { interval });
    const facts = el("div", { class: "facts" });
    const node = el("a", { class: "card camera", href: `#/camera/${name}` }, picture.node, facts);
    return { node, picture, facts };
  }

  function draw() {
    const cameras = Object.values(feed.cameras);
    const running = cameras.filter((camera) => camera.state === "running").length;
    const open = cameras.reduce((sum, camera) => sum + (camera.open_events ?? 0), 0);
    summary.textContent = cameras.length ? `${running} of ${cameras.length} running · ${plural(open, "open event")}` : "";
    for (const [name, known] of cards) {
      if (!(name in feed.cameras)) {
        known.picture.close();
        known.node.remove();
        cards.delete(name);
      }
    }
    for (const status of cameras) {
      if (!cards.has(status.name)) {
        cards.set(status.name, card(status.name, cameras.length > 4 ? 1000 : 400));
        grid.append(cards.get(status.name).node);
      }
      const { node, facts } = cards.get(status.name);
      node.classList.toggle("alarm", status.open_events > 0);
      update(
        facts,
        el("strong", {}, status.name),
        statePill(status),
        status.open_events > 0 && el("span", { class: "pill alarm" }, plural(status.open_events, "event")),
        status.edited && el("span", { class: "pill idle", title: "Differs from the configuration file" }, "edited"),
        el("span", { class: "grow" }),
        el("span", { class: "num", title: "Tracks" }, plural(status.tracks ?? 0, "track")),
        el("span", { class: "num", title: "Share of the picture that moves" }, percent(status.foreground, 1)),
        el("span", { class: "num", title: "Frames in a second" }, `${number(status.fps, 1)} fps`),
        status.budget && el("span", { class: "wide note" }, status.budget),
        status.state !== "running" && status.last_error && el("span", { class: "wide error" }, status.last_error),
      );
    }
    if (!cameras.length && feed.service) put(grid, el("p", { class: "empty" }, "No camera is configured."));
  }

  const off = feed.on("status", draw);
  if (feed.service) draw();
  else api.get("api/service").then((service) => ((feed.service ??= service), draw()), () => null);
  return {
    close() {
      off();
      events.close();
      for (const { picture } of cards.values()) picture.close();
    },
  };
}
