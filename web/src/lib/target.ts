/** Only addresses of our own may follow a sign-in, or the page could be used to send people elsewhere. */
export function safeTarget(to: unknown): string {
  return typeof to === 'string' && /^\/(?![/\\])/.test(to) && !to.startsWith('/sign-in') ? to : '/'
}
