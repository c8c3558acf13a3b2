// A document to try the page with, written for it, and questions about it: the last one it does not answer.

/** Its name in the list of documents. */
export const SAMPLE_TITLE = "Keeper’s handbook.md";

/** Its text. */
export const SAMPLE_TEXT = `# Handbook for the keeper of Skarholm light

## Arriving
The boat leaves Vik on Tuesdays and Fridays at seven in the morning, if the wind is below eight metres a second. It does not wait. Bring food for three weeks: the shop on the mainland delivers only in summer. The key to the house hangs in the boathouse, behind the second oar.

## The light
The lamp is lit half an hour before sunset and put out half an hour after sunrise. Its lens was made in Gothenburg in 1874 and must never be touched with bare hands; use the linen gloves in the top drawer. The light shows two white flashes every fifteen seconds. If it fails, call the harbour office on channel 12 and hang the red lantern from the gallery until it burns again.

## Water and power
Rain from the roof is collected in the cistern under the kitchen, which holds 4,000 litres. Boil it before drinking. The batteries are charged by six panels on the south wall. When they fall below 30 per cent, start the diesel engine; it uses about two litres an hour, and the tank beside it holds 180. Read both meters every Sunday and write them into the blue book.

## Weather
Report wind, cloud and the height of the waves to the institute at six in the morning and at six in the evening. The barometer by the door is two hectopascals too low: add them before you report.

## Guests
Friends may stay for no more than four nights, and nobody may climb the tower alone. Dogs are welcome from September to April, when no birds are nesting. The fee for a night is 90 kronor, paid into the tin on the shelf.

## Leaving
Empty the stove, close the valve of the gas bottle, and turn the sign at the landing to "unmanned". Whoever leaves without writing the log of the last day will be asked to come back and do so.
`;

/** Questions about it. */
export const SAMPLE_QUESTIONS = [
  "When are dogs allowed?",
  "What must be done if the light fails?",
  "How much water does the cistern hold?",
  "Who built the tower?",
] as const;
