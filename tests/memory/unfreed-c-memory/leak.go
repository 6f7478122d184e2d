// Package leak measures strings in C.
package leak

/*
#include <malloc.h>
#include <string.h>

static size_t used(void) { return mallinfo2().uordblks; }
*/
import "C"

import "strings"

func length(text string) int {
	s := C.CString(text) // grows in C
	return int(C.strlen(s))
}

// Used says how many bytes of C are in use.
func Used() int { return int(C.used()) }

var text = strings.Repeat("x", 4<<10)

// Step measures strings.
func Step() {
	for range 1024 {
		if length(text) != len(text) {
			panic("another length")
		}
	}
}
