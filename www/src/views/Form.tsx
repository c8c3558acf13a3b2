// What forms are put together from: fields with their labels and hints, and the one way to send a form.

import type { Signal } from "@preact/signals";
import type { ComponentChildren, VNode } from "preact";

import { busy } from "../state/work";

/** What a form does when it is sent, instead of leaving the page. */
export function sends(action: () => Promise<void>): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    void action();
  };
}

/** The button that sends a form, once the page is free. */
export function Send({ id, end = true, children }: { readonly id: string; readonly end?: boolean; readonly children: ComponentChildren }): VNode {
  return (
    <button id={id} type="submit" class={end ? "primary end" : "primary"} disabled={busy.value}>
      {children}
    </button>
  );
}

interface HeadedProps {
  readonly id: string;
  readonly heading: string;
  readonly text: Signal<string>;
  readonly rows: number;
  readonly placeholder?: string;
  readonly describedBy?: string;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
}

/** The text that a card is about, under the card's heading. */
export function HeadedText({ id, heading, text, rows, placeholder, describedBy, onKeyDown }: HeadedProps): VNode {
  return (
    <>
      <label class="heading" for={id}>
        {heading}
      </label>
      <textarea
        id={id}
        rows={rows}
        value={text.value}
        placeholder={placeholder}
        aria-describedby={describedBy}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
    </>
  );
}

interface FieldProps {
  readonly id: string;
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A control with its label, and what more there is to say. */
export function Field({ id, label, hint, children }: FieldProps): VNode {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint !== undefined && (
        <p id={hintOf(id)} class="note">
          {hint}
        </p>
      )}
    </div>
  );
}

/** Id of a control's hint, for `aria-describedby`. */
export function hintOf(id: string): string {
  return `${id}-hint`;
}

interface ChoiceProps<T extends string> {
  readonly id: string;
  readonly label: string;
  readonly value: Signal<T>;
  /** What may be chosen, each with its words. */
  readonly options: Readonly<Record<T, string>>;
}

/** One of several. */
export function Choice<T extends string>({ id, label, value, options }: ChoiceProps<T>): VNode {
  return (
    <Field id={id} label={label}>
      <select id={id} value={value.value} onChange={(event) => (value.value = event.currentTarget.value as T)}>
        {Object.entries<string>(options).map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </Field>
  );
}

interface AddressProps {
  readonly id: string;
  readonly label: string;
  readonly hint: ComponentChildren;
  readonly value: Signal<string>;
  readonly disabled?: boolean;
}

/** An address, of this site or in full. */
export function Address({ id, label, hint, value, disabled = false }: AddressProps): VNode {
  return (
    <Field id={id} label={label} hint={hint}>
      <input
        id={id}
        type="text"
        inputMode="url"
        spellcheck={false}
        autocomplete="off"
        aria-describedby={hintOf(id)}
        value={value.value}
        disabled={disabled}
        onInput={(event) => (value.value = event.currentTarget.value)}
      />
    </Field>
  );
}

interface WholeProps {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly set: (value: string) => void;
  readonly input?: { readonly min?: string; readonly max?: string; readonly required?: boolean; readonly placeholder?: string };
}

/** A whole number. */
export function Whole({ id, label, hint, value, set, input }: WholeProps): VNode {
  return (
    <Field id={id} label={label} {...(hint === undefined ? {} : { hint })}>
      <input
        id={id}
        type="number"
        step="1"
        {...input}
        aria-describedby={hint === undefined ? undefined : hintOf(id)}
        value={value}
        onInput={(event) => {
          set(event.currentTarget.value);
        }}
      />
    </Field>
  );
}
