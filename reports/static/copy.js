/* Copy buttons of commands, on every page. Where the clipboard is refused the command is at least selected. */
(() => {
  "use strict";
  for (const button of document.querySelectorAll("button.copy")) {
    const code = button.parentNode.querySelector("code");
    const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    const byHand = () => {
      getSelection().selectAllChildren(code);
      if (document.execCommand("copy")) done();
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, byHand); else byHand();
    });
  }
})();
