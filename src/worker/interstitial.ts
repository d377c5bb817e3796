/**
 * The small page that a navigation to a virtual URL gets (a bookmark, a link in a mail, a new tab): it runs the SDK and hands the verified file
 * over. Never an error on a navigation: the browser would show its own page, and retry past this worker.
 *
 * @param pageScript URL of the built `page.js`
 */
export function interstitialPage(pageScript: string): Response {
  const nonce = crypto.randomUUID()
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Verified download</title>
<style nonce="${nonce}">
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
  body { margin: 15vh auto; max-width: 36rem; padding: 0 1rem }
  progress { width: 100% }
</style>
<h1>Verified download</h1>
<p id="sealift-state" role="status">Looking for the file…</p>
<progress id="sealift-progress" max="1" value="0"></progress>
<script type="module" nonce="${nonce}">
  import { runInterstitial } from ${JSON.stringify(pageScript).replaceAll('<', '\\u003c')}
  runInterstitial()
</script>
</html>
`
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; script-src 'self' 'nonce-${nonce}' 'wasm-unsafe-eval'; style-src 'nonce-${nonce}'; connect-src *; worker-src 'self'; base-uri 'none'; form-action 'none'`,
      'x-content-type-options': 'nosniff',
    },
  })
}
