// Chooses the theme before the first paint, so that a dark duty room never sees a white flash.
// A file of its own because the content security policy forbids inline scripts.
(function () {
  var chosen = null;
  try { chosen = localStorage.getItem('lt-theme'); } catch (e) { /* storage switched off */ }
  var dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
  var wall = location.pathname.indexOf('/wall') === 0;
  document.documentElement.dataset.theme = wall ? 'dark' : chosen === 'dark' || chosen === 'light' ? chosen : dark ? 'dark' : 'light';
  if (wall) document.documentElement.classList.add('wall');
})();
