// Requests. All addresses are relative to the page, so that it works behind a proxy's path, too.

export class ApiError extends Error {
  constructor(status, message, key) {
    super(message);
    this.status = status;
    this.key = key ?? "";
  }
}

async function call(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new ApiError(0, "The service does not answer.");
  }
  if (answer.status === 204) return null;
  const facts = await answer.json().catch(() => ({}));
  if (answer.ok) return facts;
  if (answer.status === 401 && path !== "api/login") window.dispatchEvent(new Event("signed-out"));
  throw new ApiError(answer.status, facts.error ?? `The service answered ${answer.status}.`, facts.key);
}

export const api = {
  get: (path) => call("GET", path),
  put: (path, body) => call("PUT", path, body),
  post: (path, body) => call("POST", path, body),
  delete: (path) => call("DELETE", path),
};

export const query = (facts) =>
  new URLSearchParams(Object.entries(facts).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false));

let asked = 0;
export const pictureOf = (camera, layers, width) =>
  `api/cameras/${camera}/picture.jpg?${query({ layers: layers.join(","), width, n: ++asked })}`;
export const liveOf = (camera, layers, width, fps) =>
  `api/cameras/${camera}/live.mjpg?${query({ layers: layers.join(","), width, fps, n: ++asked })}`;
export const evidenceOf = (camera) => `api/cameras/${camera}/evidence.jpg?n=${++asked}`;
export const fileOf = (event, kind) => `api/events/${event.id}/${kind === "clip" ? "clip" : `${kind}.jpg`}`;
