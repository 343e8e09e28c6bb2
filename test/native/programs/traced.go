// A Go program with a function that tests trace.
package main

import "fmt"

//go:noinline
func traced(n int) int { return n + 1 }

func main() { fmt.Println(traced(41)) }
