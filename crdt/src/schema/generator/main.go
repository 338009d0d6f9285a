// Command generator makes what the crate archipel-crdt keeps of Kubernetes' API, from the published modules:
//
//	go run .                 rewrites ../table.txt, the schema table
//	go run . fixtures        rewrites ../../value/fixtures, objects encoded by Kubernetes' own serializers
//	go run . verify DIR      decodes what our codec wrote to DIR by Kubernetes' own serializers, and compares
//
// It is a tool of the developers: neither the build nor the tests run it.
package main

import (
	"fmt"
	"os"
)

func main() {
	switch arguments := os.Args[1:]; {
	case len(arguments) == 0:
		writeTable("../table.txt")
	case len(arguments) == 1 && arguments[0] == "fixtures":
		writeFixtures("../../value/fixtures")
	case len(arguments) == 2 && arguments[0] == "verify":
		verify("../../value/fixtures", arguments[1])
	default:
		fmt.Fprintln(os.Stderr, "usage: go run . [fixtures | verify DIR]")
		os.Exit(2)
	}
}
