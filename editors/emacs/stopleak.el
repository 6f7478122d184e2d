;;; stopleak.el --- Leaks in Go code, found while you type  -*- lexical-binding: t -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "29.1"))
;; URL: https://github.com/stopleak/stopleak
;; Keywords: languages, tools
;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Three ways to run stopleak in Emacs; each is one line in the init file:
;;
;;   (stopleak-setup-eglot)     eglot, with gopls too where the multiplexer `rass' is installed
;;   (stopleak-setup-lsp-mode)  lsp-mode, as an add-on beside gopls
;;   (stopleak-setup-flymake)   Flymake beside whatever server runs, for saved files: findings, no fixes

;;; Code:

(require 'seq)

(defvar eglot-server-programs)
(defvar flymake-diagnostic-functions)
(declare-function flymake-make-diagnostic "flymake")
(declare-function lsp-activate-on "lsp-mode")
(declare-function lsp-find-workspace "lsp-mode")
(declare-function lsp-get "lsp-protocol")
(declare-function lsp-register-client "lsp-mode")
(declare-function lsp-request-async "lsp-mode")
(declare-function lsp-stdio-connection "lsp-mode")
(declare-function make-lsp-client "lsp-mode")
(defvar lsp--cur-workspace)

(defgroup stopleak nil "Leaks in Go code." :group 'tools)

(defcustom stopleak-program "stopleak"
  "The stopleak program."
  :type 'string)

(defconst stopleak--modes '(go-mode go-ts-mode))

;;;; eglot

(defun stopleak-eglot-contact (&optional _interactive)
  "The servers for a Go buffer.
eglot runs one server for a buffer.  Where `rass' and gopls are installed,
both run behind it."
  (if (and (executable-find "rass") (executable-find "gopls"))
      (list "rass" "--" "gopls" "--" stopleak-program "server")
    (list stopleak-program "server")))

;;;###autoload
(defun stopleak-setup-eglot ()
  "Have eglot run stopleak for Go."
  (with-eval-after-load 'eglot
    (add-to-list 'eglot-server-programs (cons stopleak--modes #'stopleak-eglot-contact))))

;;;; lsp-mode

(defun stopleak--of-all-servers (update &rest arguments)
  "Call UPDATE with ARGUMENTS for all servers of the buffer.
With Flymake lsp-mode shows the findings of the server alone that spoke
last: see https://github.com/emacs-lsp/lsp-mode/issues/2808."
  (let ((lsp--cur-workspace nil))
    (apply update arguments)))

(defun stopleak--lsp-command (action)
  "Have stopleak run the command of ACTION.
By itself lsp-mode asks all servers of the buffer, and may lose what
comes behind their answers."
  (let ((lsp--cur-workspace (lsp-find-workspace 'stopleak (buffer-file-name))))
    (lsp-request-async "workspace/executeCommand"
                       (list :command (lsp-get action :command) :arguments (or (lsp-get action :arguments) []))
                       #'ignore :mode 'detached)))

;;;###autoload
(defun stopleak-setup-lsp-mode ()
  "Have lsp-mode run stopleak for Go, beside gopls."
  (with-eval-after-load 'lsp-mode
    (lsp-register-client
     (make-lsp-client :new-connection (lsp-stdio-connection (lambda () (list stopleak-program "server")))
                      :activation-fn (lsp-activate-on "go")
                      ;; lsp-mode takes related places and shows none, and has each action completed by all servers, which spoils it.
                      :custom-capabilities '((experimental . ((stopleakPathInMessage . t) (stopleakWholeActions . t))))
                      :action-handlers (let ((handlers (make-hash-table :test #'equal)))
                                         (puthash "stopleak.openRule" #'stopleak--lsp-command handlers)
                                         handlers)
                      :server-id 'stopleak
                      :add-on? t)))
  (with-eval-after-load 'lsp-diagnostics
    (advice-add 'lsp-diagnostics--flymake-update-diagnostics :around #'stopleak--of-all-servers)))

;;;; Flymake

(defvar-local stopleak--process nil)

(defun stopleak--position (place)
  "The position of PLACE, a line and a column in bytes from 1."
  (goto-char (point-min))
  (forward-line (1- (gethash "line" place)))
  (or (byte-to-position (+ (position-bytes (point)) (1- (gethash "column" place))))
      (point-max)))

(defun stopleak--diagnostics (buffer findings)
  "FINDINGS as Flymake diagnostics of BUFFER."
  (with-current-buffer buffer
    (save-excursion
      (save-restriction
        (widen)
        (seq-map
         (lambda (finding)
           (let ((range (gethash "range" finding)))
             (flymake-make-diagnostic
              buffer
              (stopleak--position (gethash "start" range))
              (stopleak--position (gethash "end" range))
              (pcase (gethash "severity" finding) ("warning" :warning) (_ :note))
              (mapconcat #'identity
                         (cons (format "%s [%s]" (gethash "message" finding) (gethash "rule" finding))
                               (seq-map (lambda (step)
                                          (format "line %d: %s"
                                                  (gethash "line" (gethash "start" (gethash "range" step)))
                                                  (gethash "message" step)))
                                        (gethash "related" finding)))
                         "\n"))))
         findings)))))

(defun stopleak-flymake (report &rest _)
  "A Flymake backend: checks the file of the buffer and gives REPORT what is found."
  (unless (executable-find stopleak-program)
    (error "Cannot find %s" stopleak-program))
  (when (process-live-p stopleak--process)
    (kill-process stopleak--process))
  (if (or (not buffer-file-name) (buffer-modified-p))
      (funcall report nil) ; at the next save
    (let ((buffer (current-buffer)))
      (setq stopleak--process
            (make-process
             :name "stopleak" :noquery t :connection-type 'pipe
             :buffer (generate-new-buffer " *stopleak*")
             :command (list stopleak-program "check" "--exit-zero" "--format" "json" buffer-file-name)
             :stderr (get-buffer-create " *stopleak errors*")
             :sentinel
             (lambda (process _event)
               (unless (process-live-p process)
                 (unwind-protect
                     (when (and (buffer-live-p buffer)
                                (eq process (buffer-local-value 'stopleak--process buffer)))
                       (if (zerop (process-exit-status process))
                           (let ((findings (with-current-buffer (process-buffer process)
                                             (goto-char (point-min))
                                             (json-parse-buffer :array-type 'list))))
                             (funcall report (stopleak--diagnostics buffer findings)))
                         (funcall report :panic :explanation "stopleak failed, see *stopleak errors*")))
                   (kill-buffer (process-buffer process))))))))))

(defun stopleak--flymake-here ()
  (when (apply #'derived-mode-p stopleak--modes)
    (add-hook 'flymake-diagnostic-functions #'stopleak-flymake nil t)))

;;;###autoload
(defun stopleak-setup-flymake ()
  "Have Flymake ask stopleak about saved Go files, beside a server that eglot runs."
  (dolist (mode stopleak--modes)
    (add-hook (intern (format "%s-hook" mode)) #'stopleak--flymake-here))
  (add-hook 'eglot-managed-mode-hook #'stopleak--flymake-here))

;;;; Commands

;;;###autoload
(defun stopleak-check-workspace ()
  "Check all files of the project; `next-error' goes from finding to finding."
  (interactive)
  (let ((default-directory (or (locate-dominating-file default-directory "go.mod") default-directory)))
    (compile (format "%s check --exit-zero --color never --no-progress --format concise ./..." stopleak-program))))

;;;###autoload
(defun stopleak-explain-rule (rule)
  "Show the page of RULE."
  (interactive
   (list (completing-read "Rule: " (seq-map (lambda (line) (car (split-string line)))
                                            (process-lines stopleak-program "rule"))
                          nil t)))
  (with-help-window "*stopleak rule*"
    (princ (with-temp-buffer
             (call-process stopleak-program nil t nil "rule" rule)
             (buffer-string)))))

(provide 'stopleak)
;;; stopleak.el ends here
