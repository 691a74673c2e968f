package main

import (
	"fmt"
	"sort"
	"time"
)

// When things happen: latency.

var clock = []workload{
	{"latency", []param{{"rate", 20000}, {"n", 40000}, {"tick", 1000}}, runLatency},
}

// echo passes each message on.
func echo(in <-chan time.Time, out chan<- time.Time) {
	for sent := range in {
		out <- sent
	}
}

// collector tells how long n messages took, in order of size.
func collector(n int64, in <-chan time.Time, done chan<- []time.Duration) {
	took := make([]time.Duration, n)
	for i := range took {
		took[i] = time.Since(<-in)
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	done <- took
}

// The sender is a goroutine that sleeps by the runtime's own timers. A thread that
// sleeps in the kernel keeps shorter ticks, but hands over to the others more
// slowly: that was five times the latency.
func runLatency(b *bench) {
	rate, n := b.param("rate"), b.param("n")
	tick := time.Duration(b.param("tick")) * time.Microsecond
	in := make(chan time.Time, mailboxRoom)
	out := make(chan time.Time, mailboxRoom)
	done := make(chan []time.Duration)
	go echo(in, out)
	go collector(n, out, done)
	b.begin()
	next := b.begun
	for sent := int64(0); sent < n; {
		next = next.Add(tick)
		time.Sleep(time.Until(next))
		due := time.Since(b.begun).Microseconds() * rate / 1000000
		for ; sent < due && sent < n; sent++ {
			in <- time.Now()
		}
	}
	took := <-done
	sum := time.Duration(0)
	for _, t := range took {
		sum += t
	}
	us := func(i int64) float64 { return float64(took[i].Nanoseconds()) / 1e3 }
	b.report(fmt.Sprintf("latency_tick%d", b.param("tick")), n, sum.Nanoseconds(),
		fmt.Sprintf(" p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f",
			us(n/2), us(n*99/100), us(n*999/1000), us(n-1)))
}
