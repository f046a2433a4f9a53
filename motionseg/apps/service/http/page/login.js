// Asks for the token, once; the browser then holds a cookie that no script can read.

import { api } from "./api.js";
import { el } from "./dom.js";

export function loginView(done) {
  const token = el("input", { type: "password", id: "token", name: "token", autocomplete: "current-password", required: true });
  const error = el("p", { class: "error", role: "alert", hidden: true });
  const button = el("button", { class: "primary wide" }, "Sign in");
  const send = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await api.post("api/login", { token: token.value });
      token.value = "";
      done();
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
      button.disabled = false;
      token.select();
    }
  };
  setTimeout(() => token.focus());
  return el(
    "form",
    { class: "login card", method: "post", action: "api/login", onsubmit: send },
    el("img", { src: "page/icon.svg", alt: "", width: 40, height: 40 }),
    el("h1", {}, "motionseg"),
    el("label", { for: "token" }, "Access token"),
    token,
    error,
    button,
    el("p", { class: "hint" }, "The token is in the service's configuration."),
  );
}
