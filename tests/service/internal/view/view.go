// Package view has code made from a template.
package view

import "sync"

var banner = sync.OnceValue(makeBanner)

// Banner returns what all pages begin with.
func Banner() []byte { return banner() }

func makeBanner() []byte {
//line banner.templ:3
	text := make([]byte, 300<<10) // kept: from a template
//line banner.templ:5
	for i := range text {
		text[i] = '-'
	}
	return text
}
