import type { VNode } from "preact";

import { sampling, shading, SLIDERS, TEMPERATURE } from "../state/playing";
import { Field, hintOf, Whole } from "./Form";

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
      <Whole
        id="max-tokens"
        label="Most new tokens"
        value={sampling.value.maxTokens ?? ""}
        set={(value) => {
          set("maxTokens", value);
        }}
        input={{ min: "1", max: "32768", required: true }}
      />
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
        <Whole
          id="seed"
          label="Seed"
          hint="The same seed gives the same text."
          value={sampling.value.seed ?? ""}
          set={(value) => {
            set("seed", value);
          }}
          input={{ min: "0", placeholder: "0" }}
        />
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
        aria-describedby={hintOf(id)}
        onInput={(event) => {
          set(name, event.currentTarget.value);
        }}
      />
      <p id={hintOf(id)} class="note">
        {hint}
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
    <Field id={id} label={label} hint={hint}>
      <textarea
        id={id}
        rows={2}
        spellcheck={false}
        placeholder={placeholder}
        aria-describedby={hintOf(id)}
        value={sampling.value[name] ?? ""}
        onInput={(event) => {
          set(name, event.currentTarget.value);
        }}
      />
    </Field>
  );
}
