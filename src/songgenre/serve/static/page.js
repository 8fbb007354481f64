const SVG = "http://www.w3.org/2000/svg";
const element = (id) => document.getElementById(id);
const body = document.body;
const input = document.querySelector("input");
const player = element("player");
const timeline = element("timeline");

const queue = [];

let answer = null;
let awaited = false;
let isBusy = false;
let time = 0;

input.addEventListener("change", () => add([...input.files]));

for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    body.classList.add("over");
  });
}
addEventListener("dragleave", (event) => event.relatedTarget || body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  body.classList.remove("over");
  add([...event.dataTransfer.files]);
});

/** Add songs to the queue; the first of them that is predicted is shown. */
function add(files) {
  if (!files.length) return;
  element("error").textContent = "";
  element("help").hidden = true;
  awaited = true;
  for (const file of files) {
    const entry = document.createElement("button");
    entry.type = "button";
    entry.disabled = true;
    const state = document.createElement("span");
    state.textContent = "waiting";
    entry.append(Object.assign(document.createElement("span"), { textContent: file.name }), state);
    entry.addEventListener("click", () => show(song));
    const song = { file, entry, state, result: null };
    const item = document.createElement("li");
    item.append(entry);
    element("songs").append(item);
    queue.push(song);
  }
  element("songs").hidden = element("songs").children.length < 2;
  input.value = "";
  if (!isBusy) work();
}

/** Predict the songs of the queue, one after the other. */
async function work() {
  isBusy = true;
  while (queue.length) {
    const song = queue.shift();
    report(song, 0, "sending");
    try {
      song.result = await ask(song);
      song.state.textContent = song.result.verdict;
      song.entry.disabled = false;
      if (awaited) show(song);
    } catch (error) {
      song.state.textContent = "not predicted";
      element("help").hidden &&= !error.isUnreadable;
      element("error").textContent += `${song.file.name}: ${error.message}\n`;
    }
  }
  isBusy = false;
  element("status").textContent = "";
  element("progress").hidden = true;
}

function report(song, share, state) {
  song.state.textContent = state;
  element("status").textContent = `Predicting ${song.file.name}: ${state}`;
  element("progress").hidden = false;
  element("progress").value = share;
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

/** Send a song, and read lines of progress until the last one, which is the prediction. */
function ask(song) {
  const mostMb = Number(body.dataset.maxMb);
  const mb = song.file.size / 1e6;
  if (mb > mostMb) throw Error(`${mb.toFixed(1)} MB exceed the limit of ${mostMb} MB. Convert the song to mp3, or cut it.`);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const lines = () => request.responseText.split("\n").filter(Boolean);
    request.upload.addEventListener("progress", ({ loaded, total }) =>
      report(song, (0.3 * loaded) / total, loaded < total ? `${percent(loaded / total)} sent` : "decoding"),
    );
    request.addEventListener("progress", () => {
      const complete = request.responseText.split("\n").slice(0, -1);
      if (!complete.length) return;
      const { done, total } = JSON.parse(complete.at(-1));
      report(song, 0.4 + (0.6 * done) / total, `window ${done + 1} of ${total}`);
    });
    request.addEventListener("load", () => {
      const result = parse(lines().at(-1));
      if (result.probabilities) resolve(result);
      else if (request.status === 422) reject(Object.assign(Error(result.error), { isUnreadable: true }));
      else reject(Error(result.error ?? "The server ended the prediction. Try again."));
    });
    request.addEventListener("error", () =>
      reject(Error("The file cannot be read, or the server does not respond. Check that it is still running.")),
    );
    request.open("POST", "predict");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Accept", "application/x-ndjson");
    request.send(song.file);
  });
}

function show({ file, entry, result }) {
  awaited = false;
  player.pause();
  for (const other of element("songs").querySelectorAll("button")) {
    if (other === entry) other.setAttribute("aria-current", "true");
    else other.removeAttribute("aria-current");
  }
  answer = result;
  answer.genres = Object.keys(result.probabilities).sort((a, b) => result.probabilities[b] - result.probabilities[a]);
  element("name").textContent = file.name;
  element("verdict").textContent = result.verdict;
  element("model").textContent = result.model.replaceAll("_", " ");
  element("window").textContent = result.window_s.toFixed(0);
  element("end").textContent = clock(result.duration_s);
  element("genres").replaceChildren(...answer.genres.map(row));
  timeline.setAttribute("aria-valuemax", result.duration_s.toFixed(1));
  element("gaps").textContent = result.gaps;
  drawBars();
  drawLanes();
  URL.revokeObjectURL(player.src);
  element("mute").hidden = true;
  player.hidden = false;
  player.src = URL.createObjectURL(file);
  element("answer").hidden = false;
  moveTo(0);
}

function row(genre) {
  const cells = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const swatch = shape("svg", { class: "swatch", viewBox: "0 0 1 1", "aria-hidden": true });
  swatch.append(shape("rect", { width: 1, height: 1, rx: 0.15, fill: answer.colors[genre] }));
  name.append(swatch, genre);
  const ofSong = document.createElement("td");
  ofSong.className = "number";
  ofSong.textContent = percent(answer.probabilities[genre]);
  cells.append(name, ofSong, Object.assign(document.createElement("td"), { className: "number" }));
  return cells;
}

function drawBars() {
  const bars = element("bars");
  bars.setAttribute("viewBox", `0 0 ${answer.duration_s} 1`);
  const gap = answer.windows.length > 1 ? Math.min(0.02 * answer.window_s, answer.duration_s / 400) : 0;
  bars.replaceChildren(
    ...answer.windows.flatMap((window) => {
      let top = 1;
      return Object.keys(answer.colors).sort().map((genre) => {
        const height = window.probabilities[genre];
        top -= height;
        const [x, y, width] = [window.start_s, Math.max(top, 0), answer.window_s - gap];
        return shape("rect", { x, y, width, height, fill: answer.colors[genre] });
      });
    }),
  );
}

/** Draw the most probable tags over time; a deeper color is a higher probability. */
function drawLanes() {
  const { lanes, duration_s, patch_s } = answer;
  const top = Math.max(...lanes.flatMap(({ patches }) => patches.map(([, share]) => share)));
  element("lanes").replaceChildren(
    ...lanes.map(({ tag, mean, patches }) => {
      const lane = Object.assign(document.createElement("div"), { className: "lane tag" });
      const name = document.createElement("span");
      name.append(tag, Object.assign(document.createElement("small"), { textContent: percent(mean) }));
      const field = shape("svg", { viewBox: `0 0 ${duration_s} 1`, preserveAspectRatio: "none", "aria-hidden": true });
      field.append(
        ...patches.map(([x, share]) => shape("rect", { x, y: 0, width: patch_s, height: 1, "fill-opacity": share / top })),
      );
      lane.append(name, field);
      return lane;
    }),
  );
  element("tags").textContent = lanes.length
    ? `Tags that the network predicts every ${Math.round(patch_s)} s, with their mean: ` +
      `${lanes.map(({ tag, mean }) => `${tag} ${percent(mean)}`).join(", ")}. The strongest color is ${percent(top)}.`
    : "";
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Show a moment of the song: the cursor, and the probabilities of the window there. */
function moveTo(seconds) {
  time = Math.min(Math.max(seconds, 0), answer.duration_s);
  element("cursor").style.left = `${(100 * time) / answer.duration_s}%`;
  element("now").textContent = clock(time);
  const current = answer.windows.findLast(({ start_s }) => start_s <= time && time <= start_s + answer.window_s);
  [...element("genres").rows].forEach((cells, number) => {
    const share = current?.probabilities[answer.genres[number]];
    cells.lastChild.textContent = share === undefined ? "–" : percent(share);
    cells.classList.toggle("likeliest", share !== undefined && share === Math.max(...Object.values(current.probabilities)));
  });
  const likeliest = current && answer.genres.reduce((a, b) => (current.probabilities[b] > current.probabilities[a] ? b : a));
  timeline.setAttribute("aria-valuenow", time.toFixed(1));
  timeline.setAttribute(
    "aria-valuetext",
    current ? `${clock(time)}, ${likeliest} ${percent(current.probabilities[likeliest])}` : `${clock(time)}, no prediction`,
  );
}

function seek(seconds) {
  moveTo(seconds);
  player.currentTime = time;
}

function follow() {
  moveTo(player.currentTime);
  if (!player.paused) requestAnimationFrame(follow);
}

player.addEventListener("play", follow);
player.addEventListener("seeked", () => moveTo(player.currentTime));
player.addEventListener("error", () => {
  player.hidden = true;
  element("mute").hidden = false;
});

timeline.addEventListener("pointerdown", (event) => {
  const { left, width } = document.querySelector(".track").getBoundingClientRect();
  if (event.clientX >= left) seek(((event.clientX - left) / width) * answer.duration_s);
});

timeline.addEventListener("keydown", (event) => {
  const places = {
    ArrowLeft: time - 5,
    ArrowDown: time - 5,
    ArrowRight: time + 5,
    ArrowUp: time + 5,
    PageDown: time - answer.window_s,
    PageUp: time + answer.window_s,
    Home: 0,
    End: answer.duration_s,
  };
  if (event.key === " ") player.paused ? player.play() : player.pause();
  else if (event.key in places) seek(places[event.key]);
  else return;
  event.preventDefault();
});

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
