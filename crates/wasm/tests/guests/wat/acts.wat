  ;; A guest of many acts: the first letter of the path says which one, what follows is its argument.
  ;; Memory: 0 results of calls, 512 numbers, 1024 constants, 65536 what the host allocates.
  (core module $main
    (import "libc" "memory" (memory 0))
    (import "libc" "forget" (func $forget))
    (import "host" "pollable-block" (func $pollable-block (param i32)))
    (import "host" "pollable-drop" (func $pollable-drop (param i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "output-drop" (func $output-drop (param i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "get-environment" (func $get-environment (param i32)))
    (import "host" "exit" (func $exit (param i32)))
    (import "host" "fields-new" (func $fields-new (result i32)))
    (import "host" "fields-append" (func $fields-append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "request-path" (func $request-path (param i32 i32)))
    (import "host" "request-drop" (func $request-drop (param i32)))
    (import "host" "request-consume" (func $request-consume (param i32 i32)))
    (import "host" "body-stream" (func $body-stream (param i32 i32)))
    (import "host" "response-new" (func $response-new (param i32) (result i32)))
    (import "host" "response-status" (func $response-status (param i32 i32) (result i32)))
    (import "host" "response-body" (func $response-body (param i32 i32)))
    (import "host" "body-write" (func $body-write (param i32 i32)))
    (import "host" "body-finish" (func $body-finish (param i32 i32 i32 i32)))
    (import "host" "body-drop" (func $body-drop (param i32)))
    (import "host" "outparam-set" (func $outparam-set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "outgoing-new" (func $outgoing-new (param i32) (result i32)))
    (import "host" "outgoing-path" (func $outgoing-path (param i32 i32 i32 i32) (result i32)))
    (import "host" "outgoing-scheme" (func $outgoing-scheme (param i32 i32 i32 i32 i32) (result i32)))
    (import "host" "outgoing-authority" (func $outgoing-authority (param i32 i32 i32 i32) (result i32)))
    (import "host" "outgoing-send" (func $outgoing-send (param i32 i32 i32 i32)))
    (import "host" "future-subscribe" (func $future-subscribe (param i32) (result i32)))
    (import "host" "future-get" (func $future-get (param i32 i32)))
    (import "host" "incoming-status" (func $incoming-status (param i32) (result i32)))
    (data (i32.const 1024) "Hello from WASI\0a")
    (data (i32.const 1056) "after\0a")
    (data (i32.const 1072) "refused")
    (data (i32.const 1088) "status error content-length 5 =\0a/from-guest")
    (global $out (mut i32) (i32.const 0))
    (global $body (mut i32) (i32.const 0))
    (global $stream (mut i32) (i32.const 0))
    (global $argument (mut i32) (i32.const 0))
    (global $argument-end (mut i32) (i32.const 0))
    (global $headers (mut i32) (i32.const -1))
    (global $count (mut i32) (i32.const 0))

    ;; Begins a response of status 200 and its body.
    (func $begin
      (local $response i32)
      (if (i32.lt_s (global.get $headers) (i32.const 0)) (then (global.set $headers (call $fields-new))))
      (local.set $response (call $response-new (global.get $headers)))
      (drop (call $response-status (local.get $response) (i32.const 200)))
      (call $response-body (local.get $response) (i32.const 0))
      (global.set $body (i32.load (i32.const 4)))
      (call $outparam-set (global.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $body-write (global.get $body) (i32.const 0))
      (global.set $stream (i32.load (i32.const 4))))

    ;; Writes, as much at a time as may be; gives up when nobody reads.
    (func $say (param $at i32) (param $length i32)
      (local $part i32)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $length)))
          (local.set $part (select (local.get $length) (i32.const 4096) (i32.lt_u (local.get $length) (i32.const 4096))))
          (call $write (global.get $stream) (local.get $at) (local.get $part) (i32.const 0))
          (br_if $done (i32.load8_u (i32.const 0)))
          (local.set $at (i32.add (local.get $at) (local.get $part)))
          (local.set $length (i32.sub (local.get $length) (local.get $part)))
          (br $next))))

    (func $say-number (param $number i32)
      (local $at i32)
      (local.set $at (i32.const 544))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
        (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
        (br_if $next (local.get $number)))
      (call $say (local.get $at) (i32.sub (i32.const 544) (local.get $at))))

    (func $end
      (call $output-drop (global.get $stream))
      (call $body-finish (global.get $body) (i32.const 0) (i32.const 0) (i32.const 0)))

    (func $answer (param $at i32) (param $length i32)
      (call $begin)
      (call $say (local.get $at) (local.get $length))
      (call $end))

    (func $hello (call $answer (i32.const 1024) (i32.const 16)))

    ;; The argument as a number.
    (func $number (result i32)
      (local $at i32) (local $number i32)
      (local.set $at (global.get $argument))
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $at) (global.get $argument-end)))
          (local.set $number (i32.add (i32.mul (local.get $number) (i32.const 10))
            (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
      (local.get $number))

    (func $sleep (param $ms i32)
      (local $pollable i32)
      (local.set $pollable (call $subscribe (i64.mul (i64.extend_i32_u (local.get $ms)) (i64.const 1000000))))
      (call $pollable-block (local.get $pollable))
      (call $pollable-drop (local.get $pollable)))

    (func $spin (loop $forever (br $forever)))

    (func $fail-deep (unreachable))
    (func $fail (call $fail-deep))

    (func $print (param $at i32) (param $length i32)
      (local $stdout i32)
      (local.set $stdout (call $get-stdout))
      (call $write (local.get $stdout) (local.get $at) (local.get $length) (i32.const 0))
      (call $output-drop (local.get $stdout)))

    ;; The request's body, as it comes.
    (func $echo (param $request i32)
      (local $input i32)
      (call $request-consume (local.get $request) (i32.const 0))
      (call $body-stream (i32.load (i32.const 4)) (i32.const 0))
      (local.set $input (i32.load (i32.const 4)))
      (call $begin)
      (block $done
        (loop $next
          (call $forget)
          (call $read (local.get $input) (i64.const 32768) (i32.const 32))
          (br_if $done (i32.load8_u (i32.const 32)))
          (call $say (i32.load (i32.const 36)) (i32.load (i32.const 40)))
          (br $next)))
      (call $end))

    (func $flood (param $parts i32)
      (call $begin)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $parts)))
          (call $say (i32.const 8192) (i32.const 4096))
          (local.set $parts (i32.sub (local.get $parts) (i32.const 1)))
          (br $next)))
      (call $end))

    ;; Takes memory until there is no more: 0 copes, 1 gives up.
    (func $grow (param $give-up i32)
      (block $done
        (loop $next
          (br_if $done (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
          (br $next)))
      (if (local.get $give-up) (then (call $fail)))
      (call $answer (i32.const 1072) (i32.const 7)))

    (func $environment
      (local $at i32) (local $end i32)
      (call $get-environment (i32.const 0))
      (local.set $at (i32.load (i32.const 0)))
      (local.set $end (i32.add (local.get $at) (i32.mul (i32.load (i32.const 4)) (i32.const 16))))
      (call $begin)
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (call $say (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))
          (call $say (i32.const 1118) (i32.const 1))
          (call $say (i32.load offset=8 (local.get $at)) (i32.load offset=12 (local.get $at)))
          (call $say (i32.const 1119) (i32.const 1))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $next)))
      (call $end))

    ;; Asks the host that the argument names, and says its status, or the number of the error.
    (func $ask (param $scheme i32)
      (local $request i32) (local $future i32) (local $pollable i32)
      (local.set $request (call $outgoing-new (call $fields-new)))
      (drop (call $outgoing-scheme (local.get $request) (i32.const 1) (local.get $scheme) (i32.const 0) (i32.const 0)))
      (drop (call $outgoing-authority (local.get $request) (i32.const 1) (global.get $argument)
        (i32.sub (global.get $argument-end) (global.get $argument))))
      (drop (call $outgoing-path (local.get $request) (i32.const 1) (i32.const 1120) (i32.const 11)))
      (call $outgoing-send (local.get $request) (i32.const 0) (i32.const 0) (i32.const 128))
      (if (i32.load8_u (i32.const 128)) (then (call $error (i32.load8_u (i32.const 136))) (return)))
      (local.set $future (i32.load (i32.const 136)))
      (local.set $pollable (call $future-subscribe (local.get $future)))
      (call $pollable-block (local.get $pollable))
      (call $future-get (local.get $future) (i32.const 128))
      (if (i32.load8_u (i32.const 144)) (then (call $error (i32.load8_u (i32.const 152))) (return)))
      (call $begin)
      (call $say (i32.const 1088) (i32.const 7))
      (call $say-number (call $incoming-status (i32.load (i32.const 152))))
      (call $end))

    (func $error (param $code i32)
      (call $begin)
      (call $say (i32.const 1095) (i32.const 6))
      (call $say-number (local.get $code))
      (call $end))

    (func $handle (export "handle") (param $request i32) (param $out-param i32)
      (local $act i32)
      (call $forget)
      (global.set $headers (i32.const -1))
      (global.set $out (local.get $out-param))
      (call $request-path (local.get $request) (i32.const 0))
      (global.set $argument (i32.add (i32.load (i32.const 4)) (i32.const 2)))
      (global.set $argument-end (i32.add (i32.load (i32.const 4)) (i32.load (i32.const 8))))
      (local.set $act (i32.load8_u (i32.sub (global.get $argument) (i32.const 1))))
      ;; h: hello
      (if (i32.eq (local.get $act) (i32.const 0x68)) (then (call $hello)))
      ;; e: echo
      (if (i32.eq (local.get $act) (i32.const 0x65)) (then (call $echo (local.get $request))))
      ;; y: keep the request's body, unread, then hello
      (if (i32.eq (local.get $act) (i32.const 0x79))
        (then (call $request-consume (local.get $request) (i32.const 0)) (call $hello)))
      ;; sMS: sleep, then hello
      (if (i32.eq (local.get $act) (i32.const 0x73)) (then (call $sleep (call $number)) (call $hello)))
      ;; l: loop for ever;  L: answer a little, then loop for ever
      (if (i32.eq (local.get $act) (i32.const 0x6c)) (then (call $spin)))
      (if (i32.eq (local.get $act) (i32.const 0x4c))
        (then (call $begin) (call $say (i32.const 1024) (i32.const 16)) (call $spin)))
      ;; S: answer a little, then sleep
      (if (i32.eq (local.get $act) (i32.const 0x53))
        (then (call $begin) (call $say (i32.const 1024) (i32.const 16)) (call $sleep (call $number)) (call $end)))
      ;; g: take memory and give up;  G: take memory and cope
      (if (i32.eq (local.get $act) (i32.const 0x67)) (then (call $grow (i32.const 1))))
      (if (i32.eq (local.get $act) (i32.const 0x47)) (then (call $grow (i32.const 0))))
      ;; t: trap;  T: answer and be read, then trap
      (if (i32.eq (local.get $act) (i32.const 0x74)) (then (call $fail)))
      (if (i32.eq (local.get $act) (i32.const 0x54))
        (then (call $begin) (call $say (i32.const 8192) (i32.const 16384)) (call $say (i32.const 8192) (i32.const 40960)) (call $fail)))
      ;; n: no answer
      (if (i32.eq (local.get $act) (i32.const 0x6e)) (then (return)))
      ;; x: exit with an error;  X: answer, then exit well
      (if (i32.eq (local.get $act) (i32.const 0x78)) (then (call $exit (i32.const 1))))
      (if (i32.eq (local.get $act) (i32.const 0x58)) (then (call $hello) (call $exit (i32.const 0))))
      ;; r: refuse, with internal-error
      (if (i32.eq (local.get $act) (i32.const 0x72))
        (then (call $outparam-set (global.get $out) (i32.const 1) (i32.const 38) (i32.const 0) (i64.const 0)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
      ;; pN: print, N times, then hello
      (if (i32.eq (local.get $act) (i32.const 0x70))
        (then
          (global.set $count (call $number))
          (loop $next
            (call $print (i32.const 1024) (i32.const 16))
            (global.set $count (i32.sub (global.get $count) (i32.const 1)))
            (br_if $next (i32.gt_s (global.get $count) (i32.const 0))))
          (call $hello)))
      ;; v: the environment
      (if (i32.eq (local.get $act) (i32.const 0x76)) (then (call $environment)))
      ;; oHOST, OHOST: ask a host, by http or by https
      (if (i32.eq (local.get $act) (i32.const 0x6f)) (then (call $ask (i32.const 0))))
      (if (i32.eq (local.get $act) (i32.const 0x4f)) (then (call $ask (i32.const 1))))
      ;; wN: write N parts of 4 KiB
      (if (i32.eq (local.get $act) (i32.const 0x77)) (then (call $flood (call $number))))
      ;; q: answer a little, and leave the body open
      (if (i32.eq (local.get $act) (i32.const 0x71)) (then (call $begin) (call $say (i32.const 1024) (i32.const 16))))
      ;; u: give up the body
      (if (i32.eq (local.get $act) (i32.const 0x75))
        (then (call $begin) (call $say (i32.const 1024) (i32.const 16)) (call $output-drop (global.get $stream))
          (call $body-drop (global.get $body))))
      ;; c: announce five bytes and write sixteen
      (if (i32.eq (local.get $act) (i32.const 0x63))
        (then
          (global.set $headers (call $fields-new))
          (call $fields-append (global.get $headers) (i32.const 1101) (i32.const 14) (i32.const 1116) (i32.const 1) (i32.const 0))
          (call $hello)))
      ;; zN: make N header lists and keep them, then hello
      (if (i32.eq (local.get $act) (i32.const 0x7a))
        (then
          (global.set $count (call $number))
          (loop $next
            (drop (call $fields-new))
            (global.set $count (i32.sub (global.get $count) (i32.const 1)))
            (br_if $next (i32.gt_s (global.get $count) (i32.const 0))))
          (call $hello)))
      ;; f: make header lists for ever
      (if (i32.eq (local.get $act) (i32.const 0x66)) (then (loop $forever (drop (call $fields-new)) (br $forever))))
      ;; kMS: hello, and print when it has slept
      (if (i32.eq (local.get $act) (i32.const 0x6b))
        (then (call $hello) (call $sleep (call $number)) (call $print (i32.const 1056) (i32.const 6))))
      ;; m: how often this instance was called
      (if (i32.eq (local.get $act) (i32.const 0x6d))
        (then
          (i32.store (i32.const 600) (i32.add (i32.load (i32.const 600)) (i32.const 1)))
          (call $begin)
          (call $say-number (i32.load (i32.const 600)))
          (call $end)))
      ;; d: recurse for ever
      (if (i32.eq (local.get $act) (i32.const 0x64)) (then (call $deep (i32.const 0))))
      (call $request-drop (local.get $request)))

    (func $deep (param $n i32)
      (call $deep (i32.add (local.get $n) (i32.const 1)))
      (i32.store (i32.const 604) (local.get $n))))
