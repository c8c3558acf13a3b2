// PDFs with known texts.

/** A PDF that Chromium prints. */
export async function printed(context, html) {
  const page = await context.page("chromium", "/test/package.html");
  // Without the server's policy, which allows no styles in markup.
  await page.goto("about:blank");
  await page.playwright.setContent(html);
  return await page.playwright.pdf({ format: "A5" });
}
