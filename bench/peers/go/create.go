package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Actors that come and go, and that only wait: fjcreate, fib, idle and idlewake.

var create = []workload{
	{"fjcreate", []param{{"n", 200000}}, runFjcreate},
	{"fib", []param{{"n", 25}}, runFib},
	{"idle", []param{{"n", 1000000}}, runIdle},
}

// mayfly answers one message, and ends.
func mayfly(in <-chan int64, done chan<- int64) {
	done <- <-in
}

func runFjcreate(b *bench) {
	n := b.param("n")
	// Nobody takes the answers before all are created.
	done := make(chan int64, n)
	b.begin()
	for i := int64(1); i <= n; i++ {
		in := make(chan int64, 1)
		go mayfly(in, done)
		in <- i
	}
	sum := int64(0)
	for i := int64(0); i < n; i++ {
		sum += <-done
	}
	b.finish(n, sum, n*(n+1)/2)
}

func fib(n int64, parent chan<- int64) {
	if n <= 2 {
		parent <- 1
		return
	}
	in := make(chan int64, 2)
	go fib(n-1, in)
	go fib(n-2, in)
	parent <- <-in + <-in
}

func runFib(b *bench) {
	n := b.param("n")
	before, result := int64(1), int64(1)
	for i := int64(3); i <= n; i++ {
		before, result = result, before+result
	}
	done := make(chan int64, 1)
	b.begin()
	go fib(n, done)
	b.finish(2*result-1, <-done, result)
}

// crowdOfIdlers is what the idlers have in common; the last of them that has
// begun says so.
type crowdOfIdlers struct {
	toBegin atomic.Int64
	begun   chan struct{}
}

func idler(crowd *crowdOfIdlers, in <-chan call) {
	if crowd.toBegin.Add(-1) == 0 {
		close(crowd.begun)
	}
	for c := range in {
		c.to <- c.i
	}
}

func runIdle(b *bench) {
	n := b.param("n")
	idlers := make([]chan call, n)
	// Touched before the memory is measured: the list is not the actors'.
	for i := range idlers {
		idlers[i] = nil
	}
	crowd := &crowdOfIdlers{begun: make(chan struct{})}
	crowd.toBegin.Store(n)
	kb := memoryKB("VmRSS:")
	b.begin()
	for i := range idlers {
		idlers[i] = make(chan call, 1)
		go idler(crowd, idlers[i])
	}
	<-crowd.begun
	ns := time.Since(b.begun).Nanoseconds()
	b.report("idle", n, ns, fmt.Sprintf(" bytes_per_actor=%d",
		(memoryKB("VmRSS:")-kb)*1024/n))
	b.name = "idlewake"
	b.wake(idlers)
}

// wake sends a message to each, and takes the answers.
func (b *bench) wake(idlers []chan call) {
	n := int64(len(idlers))
	in := make(chan int64, n)
	b.begin()
	for i := range idlers {
		idlers[i] <- call{int64(i) + 1, in}
	}
	sum := int64(0)
	for range idlers {
		sum += <-in
	}
	b.finish(n, sum, n*(n+1)/2)
}
