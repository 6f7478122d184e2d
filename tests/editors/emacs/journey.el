;;; Run by emacs -Q --batch -l: what else a user does in a day, with eglot.  -*- lexical-binding: t -*-
(load (expand-file-name "common.el" (file-name-directory load-file-name)))
(require 'compile)
(defun touch () (set-buffer-modified-p t) (save-buffer)) ; a save is when the server looks

;; The path, in the message: eglot shows no related places. The page of the rule.
(visit "internal/feed/feed.go")
(call-interactively #'eglot)
(let ((text (flymake-diagnostic-text (await "unclosed-http-body"))) page)
  (message "%s" text)
  (dolist (step '("line 28: `resp.Body` is received here" "line 32: when " "line 33: returns without closing"))
    (unless (string-search step text) (error "not in the path: %s" step)))
  (setq browse-url-browser-function (lambda (url &rest _) (setq page url)))
  (act (finding "unclosed-http-body") "open the page")
  (wait "the page" (lambda () page))
  (unless (string-suffix-p "/docs/rules/unclosed-http-body.md" page) (error "not the page: %s" page)))

;; A configuration counts.
(put-file "stopleak.toml" "ignore = [\"unclosed-http-body\"]\n")
(touch)
(await-gone "unclosed-http-body")
(delete-file (expand-file-name "stopleak.toml" (env "WORKSPACE")))
(touch)
(await "unclosed-http-body")
;; Settings of the server.
(setq-default eglot-workspace-configuration '(:stopleak (:enable :json-false)))
(eglot-signal-didChangeConfiguration (eglot-current-server))
(await-gone "unclosed-http-body")
(setq-default eglot-workspace-configuration nil)
(eglot-signal-didChangeConfiguration (eglot-current-server))
(await "unclosed-http-body")

;; The body of a loop gets a function of its own; a suppression comment.
(visit "internal/report/report.go")
(act (await "defer-in-loop") "wrap the loop body in a function")
(must-have "func() ")
(await-gone "defer-in-loop")
(act (await "unclosed-file") "on this line")
(must-have "//stopleak:ignore unclosed-file")
(await-gone "unclosed-file")

;; What go.mod says of the version of Go.
(visit "internal/watch/watch.go")
(await "unstopped-ticker")
(put-file "go.mod" "module example.com/pricewatch\n\ngo 1.23\n")
(touch)
(unless (eq 'eglot-note (flymake-diagnostic-type (await "since Go 1.23 an unreferenced ticker is collected")))
  (error "not a note: %s" (flymake-diagnostic-type (finding "since Go 1.23"))))
(put-file "go.mod" "module example.com/pricewatch\n\ngo 1.22\n")
(touch)
(await-gone "since Go 1.23")

;; All that is safe at once.
(act (await "unstopped-ticker") "fix all that is safe")
(mapc #'must-have '("defer ticker.Stop()" "defer timer.Stop()"))
(await-gone "unstopped-ticker")

;; The commands of the package.
(stopleak-explain-rule "unclosed-file")
(with-current-buffer "*stopleak rule*" (must-have "os.Open"))
;; Batch mode loses what a program writes at its end when others run: so what `compile' would run is run and waited for.
(let (command folder)
  (cl-letf (((symbol-function 'compile) (lambda (text) (setq command text folder default-directory))))
    (stopleak-check-workspace))
  (with-temp-buffer
    (setq default-directory folder)
    (call-process-shell-command command nil t)
    (message "%s" (buffer-string))
    (must-have "store.go:34:15: warning unclosed-sql-rows")
    (compilation-mode)
    (compilation--ensure-parse (point-max))
    (goto-char (point-min))
    (search-forward "store.go:")
    (unless (get-text-property (match-beginning 0) 'compilation-message) (error "next-error does not go there"))))
(eglot-shutdown (eglot-current-server))

;; Nothing in the package that Emacs warns of.
(require 'bytecomp)
(let ((byte-compile-error-on-warn t)
      (byte-compile-dest-file-function (lambda (_) (expand-file-name "stopleak.elc" (env "OUT")))))
  (unless (byte-compile-file (expand-file-name "editors/emacs/stopleak.el" (getenv "ROOT"))) (error "does not compile")))
