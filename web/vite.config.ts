import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// During development the pages come from Vite and the data from a running post (LT_URL).
const post = process.env.LT_URL ?? 'http://127.0.0.1:8080'

// Few chunks, because sixty small ones weigh a third more after gzip. What the duty board and the sign-in page need at
// first paint is left to the bundler; everything behind a click is gathered here.
const CHUNKS: [string, RegExp][] = [
  ['ol', /node_modules\/(ol|rbush|quickselect|earcut|pbf)\//],
  ['base', /node_modules\/(vue|@vue|vue-router|vue-i18n|@intlify)\/|plugin-vue:export-helper/],
  ['kit', /node_modules\/(reka-ui|@floating-ui|@vueuse|@internationalized|aria-hidden|defu|ohash)\//],
  ['table', /node_modules\/@tanstack\/(vue-table|table-core)\//],
  ['boxes', /src\/(ui\/(MenuBox|ToastHost|DialogBox|ConfirmBox)|shell\/(UserMenu|SearchBox|AboutBox)|alarms\/(MoveDialog|KeysBox))\.vue|src\/lib\/title/],
  // What the three groups of pages share stands in a chunk of its own, so that no two chunks need each other.
  ['shared', /src\/(kinds\/|proof\/|api\/(proof|draw)|ui\/(SelectBox|RefBox|DataTable|Sparkline)|charts\/(RangeBar|SeriesPanel)|composables\/useQuery|lib\/(frame|ledger|system|forms|csv))/],
  ['air', /src\/(air\/|pages\/Air|api\/air|lib\/air)/],
  ['proof', /src\/pages\/(Evidence|Proof|Replay|Draw)/],
  ['office', /src\/pages\/(?!DutyPage|SignInPage|PasswordPage)/],
]

export default defineConfig({
  plugins: [vue()],
  resolve: {
    alias: {
      '@': fileURLToPath(new URL('./src', import.meta.url)),
      // Without the message compiler: messages with parameters become functions when a language is loaded (src/i18n).
      'vue-i18n': 'vue-i18n/dist/vue-i18n.runtime.esm-bundler.js',
    },
  },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
    __INTLIFY_DROP_MESSAGE_COMPILER__: true,
  },
  build: {
    // Domestic browsers are often Chromium 86 and later.
    target: 'chrome86',
    cssTarget: 'chrome86',
    minify: 'terser',
    terserOptions: { ecma: 2020, module: true, compress: { passes: 2, drop_debugger: true }, format: { comments: false } },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
    assetsInlineLimit: 0,
    manifest: 'manifest.json',
    rollupOptions: {
      output: {
        onlyExplicitManualChunks: true,
        manualChunks: (id) => CHUNKS.find(([, pattern]) => pattern.test(id))?.[0],
      },
    },
  },
  server: { proxy: { '/api': { target: post }, '/healthz': { target: post } } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
})
