;;; Run by emacs -Q --batch -l: an error ends Emacs with status 255.  -*- lexical-binding: t -*-
(load (expand-file-name "common.el" (file-name-directory load-file-name)))

(visit (env "FILE"))
(call-interactively #'eglot)
(let ((d (await (env "MESSAGE"))))
  (goto-char (flymake-diagnostic-beg d))
  (let ((at (format "%d:%d" (line-number-at-pos) (1+ (- (point) (line-beginning-position))))))
    (message "diagnostic %s %s" at (flymake-diagnostic-text d))
    (unless (equal at (env "AT")) (error "diagnostic at %s, not at %s" at (env "AT"))))
  ;; eglot shows no related places: the path is in the message.
  (unless (string-search "returns without closing" (flymake-diagnostic-text d)) (error "no path"))
  (act d (env "TITLE")))
(must-have (env "EXPECT"))
(await-gone (env "MESSAGE"))

;; The body of a loop gets a function of its own; a suppression comment; a configuration.
(visit "internal/report/report.go")
(act (await "defer-in-loop") "wrap the loop body in a function")
(must-have "func() ")
(await-gone "defer-in-loop")
(act (await "unclosed-file") "on this line")
(must-have "//stopleak:ignore unclosed-file")
(await-gone "unclosed-file")
(visit "internal/feed/feed.go")
(await "unclosed-http-body")
(write-region "ignore = [\"unclosed-http-body\"]\n" nil (expand-file-name "stopleak.toml" (env "WORKSPACE")))
(set-buffer-modified-p t)
(await-gone "unclosed-http-body")
(delete-file (expand-file-name "stopleak.toml" (env "WORKSPACE")))
(eglot-shutdown (eglot-current-server))

;; Without a server: Flymake alone.
(kill-buffer)
(stopleak-setup-flymake)
(visit "internal/feed/feed.go")
(flymake-mode 1)
(message "Flymake: %s" (flymake-diagnostic-text (await "unclosed-http-body")))
