import type { VNode } from "preact";

import { sampling, shading, SLIDERS, TEMPERATURE } from "../state/playing";

/** Ids of the controls: `topK` is `top-k`. */
const idOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function set(name: string, value: string): void {
  sampling.value = { ...sampling.value, [name]: value };
}

/** Every control of the sampler. */
export function Sampling(): VNode {
  return (
    <section class="card sampling" aria-labelledby="sampling-title">
      <h3 id="sampling-title">Sampling</h3>
      <div class="field">
        <label for="max-tokens">Most new tokens</label>
        <input
          id="max-tokens"
          type="number"
          min="1"
          max="32768"
          step="1"
          required
          value={sampling.value.maxTokens ?? ""}
          onInput={(event) => {
            set("maxTokens", event.currentTarget.value);
          }}
        />
      </div>
      <Slider setting={TEMPERATURE} />
      <label class="check">
        <input id="shading" type="checkbox" checked={shading.value} onChange={(event) => (shading.value = event.currentTarget.checked)} />
        Show how likely each token was
      </label>
      <details id="more-sampling">
        <summary>More controls</summary>
        {SLIDERS.map((setting) => (
          <Slider key={setting.name} setting={setting} />
        ))}
        <Seed />
        <Lines
          id="stop-texts"
          name="stop"
          label="Stop texts"
          placeholder="one a line"
          hint="The answer ends before the first of them."
        />
        <Lines id="logit-bias" name="logitBias" label="Token bias" placeholder="106: -inf" hint="Lines of a token’s id and what is added to its score." />
        <button
          type="button"
          class="link"
          onClick={() => {
            const { maxTokens = "64" } = sampling.value;
            sampling.value = { maxTokens, temperature: "0" };
          }}
        >
          Set everything back
        </button>
      </details>
    </section>
  );
}

function Slider({ setting }: { readonly setting: (typeof SLIDERS)[number] }): VNode {
  const { name, label, min, max, step, neutral, off, hint } = setting;
  const id = idOf(name);
  const value = sampling.value[name] ?? String(neutral);
  return (
    <div class="field slider">
      <div class="slider-line">
        <label for={id}>{label}</label>
        <output for={id} class={Number(value) === neutral ? "off" : ""}>
          {Number(value) === neutral ? off : value}
        </output>
      </div>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-describedby={`${id}-hint`}
        onInput={(event) => {
          set(name, event.currentTarget.value);
        }}
      />
      <p id={`${id}-hint`} class="note">
        {hint}
      </p>
    </div>
  );
}

function Seed(): VNode {
  return (
    <div class="field">
      <label for="seed">Seed</label>
      <input
        id="seed"
        type="number"
        min="0"
        step="1"
        placeholder="0"
        aria-describedby="seed-hint"
        value={sampling.value.seed ?? ""}
        onInput={(event) => {
          set("seed", event.currentTarget.value);
        }}
      />
      <p id="seed-hint" class="note">
        The same seed gives the same text.
      </p>
    </div>
  );
}

interface LinesProps {
  readonly id: string;
  readonly name: "stop" | "logitBias";
  readonly label: string;
  readonly placeholder: string;
  readonly hint: string;
}

function Lines({ id, name, label, placeholder, hint }: LinesProps): VNode {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={2}
        spellcheck={false}
        placeholder={placeholder}
        aria-describedby={`${id}-hint`}
        value={sampling.value[name] ?? ""}
        onInput={(event) => {
          set(name, event.currentTarget.value);
        }}
      />
      <p id={`${id}-hint`} class="note">
        {hint}
      </p>
    </div>
  );
}
