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
(eglot-shutdown (eglot-current-server))

;; Without a server: Flymake alone.
(kill-buffer)
(stopleak-setup-flymake)
(visit "internal/feed/feed.go")
(flymake-mode 1)
(message "Flymake: %s" (flymake-diagnostic-text (await "unclosed-http-body")))
