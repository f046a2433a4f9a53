// How the service itself is: its cameras, its queues, and the configuration file.

import { api } from "./api.js";
import { duration, el, number, percent, title, toast, update } from "./dom.js";
import { feed } from "./feed.js";
import { statePill } from "./wall.js";

export function systemView(main) {
  const body = el("div", { class: "system" });
  const reload = async ({ currentTarget }) => {
    currentTarget.disabled = true;
    try {
      const { changed } = await api.post("api/reload");
      toast(changed.length ? `Read again: ${changed.join("; ")}` : "Read again: nothing has changed.");
    } catch (problem) {
      toast(problem.message, "bad");
    }
    currentTarget.disabled = false;
  };
  main.append(
    el("div", { class: "head" }, el("h1", {}, "System"), el("span", { class: "grow" }), el("button", { onclick: (event) => reload({ currentTarget: event.currentTarget }) }, "Read the configuration again")),
    body,
  );

  const table = (heads, rows) =>
    el(
      "div",
      { class: "card scroll" },
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, heads.map((head, i) => el("th", { scope: "col", class: i > 1 ? "num" : null }, head)))),
        el("tbody", {}, rows.map(([first, ...others]) => el("tr", {}, el("th", { scope: "row" }, first), others.map((cell, i) => el("td", { class: i > 0 ? "num" : null }, cell))))),
      ),
    );
  const word = (value) => (typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "–"));
  const facts = (name, { bytes, ...counts }) => listed(name, bytes === undefined ? counts : { ...counts, disk: `${number(bytes / 1e6)} MB` });
  const listed = (name, rows) =>
    el("section", { class: "card" }, el("h2", {}, name), el("dl", { class: "facts-list" }, Object.entries(rows).map(([key, value]) => [el("dt", {}, title(key)), el("dd", { class: key === "last_error" && value ? "error" : null }, word(value))])));

  function draw() {
    const { service } = feed;
    if (!service) return;
    const cameras = Object.values(service.cameras).map((status) => [
      el("a", { href: `#/camera/${status.name}` }, status.name),
      statePill(status),
      number(status.fps, 1),
      number(status.latency_ms?.p50),
      number(status.latency_ms?.p95),
      number(status.frames_read),
      number(status.frames_dropped),
      number(status.frames_skipped),
      number(status.frames_damaged),
      percent(status.foreground, 1),
      number(status.cpu, 2),
      number(status.reconnects),
      number(status.stalls),
    ]);
    update(
      body,
      table(["Camera", "State", "fps", "Latency ms", "95 %", "Read", "Dropped", "Skipped", "Damaged", "Moving", "Cores", "Reconnects", "Stalls"], cameras),
      el(
        "div",
        { class: "cards" },
        facts("Service", { status: service.status, version: service.version, running_for: duration(service.uptime ?? 0) }),
        facts("Event store", service.ledger),
        facts("Recorder", service.recorder),
        Object.entries(service.couriers).map(([name, status]) => facts(`Sink ${name}`, status)),
      ),
    );
  }
  const off = feed.on("status", draw);
  draw();
  return { close: off };
}
