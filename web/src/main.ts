// Starts the pages: language first, so that nothing is ever shown in the wrong one.
import './styles/tokens.css'
import './styles/base.css'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, setLanguage, storedLanguage } from './i18n'
import { router } from './router'
import './composables/useTheme'

void setLanguage(storedLanguage()).then(() => {
  createApp(App).use(i18n).use(router).mount('#app')
})
