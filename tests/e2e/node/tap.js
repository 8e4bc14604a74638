/**
 * Put into the page before its own scripts: hears what leaves its sound graph, speaks into its microphone, and notes its states. `window.tap`:
 *
 *     levels  [[context seconds, RMS], ...] of 10.7 ms each, of everything that goes to the loudspeaker
 *     clock   [[performance.now(), context seconds that are heard now], ...]
 *     faces   [[performance.now(), lip opening], ...] of each frame: when its drawing began, what was drawn
 *     states  [[Date.now(), the page's data-state], ...]
 *     context the AudioContext of the loudspeaker
 *     say(pcm16 as base64)    into the open microphone, over what the browser's own device hears; 24 kHz
 */
const tap = (window.tap = { levels: [], clock: [], faces: [], states: [] });

// Two loops around the page's own: callbacks of a frame run in the order in which they were asked for.
let began = 0;
function before() {
  requestAnimationFrame(before);
  began = performance.now();
}
function after() {
  requestAnimationFrame(after);
  const { jawOpen, mouthClose } = window.__a2?.morphs() ?? { jawOpen: 0, mouthClose: 0 };
  tap.faces.push([began, Math.max(0, jawOpen - mouthClose)]);
}
requestAnimationFrame(before);

const METER = `
  registerProcessor("tap", class extends AudioWorkletProcessor {
    blocks = 0; sum = 0; levels = [];
    process([[samples]]) {
      if (samples) for (const sample of samples) this.sum += sample * sample;
      if (++this.blocks % 2) return true;
      this.levels.push([currentTime - 128 / sampleRate, Math.sqrt(this.sum / 256)]);
      this.sum = 0;
      if (this.levels.length === 8) this.port.postMessage(this.levels.splice(0));
      return true;
    }
  });`;

const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...more) {
  if (target === this.context.destination) void listen(this);
  return connect.call(this, target, ...more);
};

async function listen(node) {
  const { context } = node;
  tap.context = context;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([METER], { type: "text/javascript" })));
  const meter = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  meter.port.onmessage = ({ data }) => tap.levels.push(...data);
  connect.call(node, meter);
  setInterval(() => tap.clock.push([performance.now(), context.currentTime - (context.outputLatency || context.baseLatency || 0)]), 50);
}

const { mediaDevices } = navigator;
const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
mediaDevices.getUserMedia = async (constraints) => {
  const device = await getUserMedia(constraints);
  const context = new AudioContext();
  const mixed = context.createMediaStreamDestination();
  connect.call(context.createMediaStreamSource(device), mixed);
  tap.say = (base64) => {
    const pcm16 = new Int16Array(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
    const buffer = context.createBuffer(1, pcm16.length, 24_000);
    buffer.copyToChannel(Float32Array.from(pcm16, (sample) => sample / 32768), 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    connect.call(source, mixed);
    source.start();
  };
  return mixed.stream;
};

addEventListener("DOMContentLoaded", () => {
  const look = () => tap.states.push([Date.now(), document.body.dataset.state]);
  look();
  new MutationObserver(look).observe(document.body, { attributeFilter: ["data-state"] });
  requestAnimationFrame(after); // the page's scripts have run by now
});
