import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// During development the pages come from Vite and the data from a running post (LT_URL).
const post = process.env.LT_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
    __INTLIFY_DROP_MESSAGE_COMPILER__: false,
  },
  build: {
    // Domestic browsers are often Chromium 86 and later.
    target: 'chrome86',
    cssTarget: 'chrome86',
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
    assetsInlineLimit: 0,
    manifest: 'manifest.json',
    rollupOptions: {
      output: {
        manualChunks(id) {
          if (/node_modules\/(ol|rbush|quickselect|earcut|pbf)\//.test(id)) return 'ol'
          if (/node_modules\/(echarts|zrender|tslib)\//.test(id)) return 'echarts'
          return undefined
        },
      },
    },
  },
  server: { proxy: { '/api': { target: post }, '/healthz': { target: post } } },
  test: { environment: 'jsdom', include: ['src/**/*.test.ts'] },
})
