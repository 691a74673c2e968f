// The workloads by which actor runtimes are compared, for Go: an actor is a
// goroutine, its mailbox a buffered channel.
//
//	go-bench NAME [workers=2] [key=value...]
//	go-bench            lists them with their parameters
//
// Prints a line for each run, as greenroom-bench does:
//
//	bench=NAME impl=go workers=N ops=N ns_per_op=X rss_kb=Y
//
// Each workload checks its result. Exit status: 0; 1 when it failed; 2 for a bad
// command line.
//
// What is different from an actor's mailbox: a channel is bounded, and who sends
// to a full one waits. So channels have room for mailboxRoom messages, or for all
// that can be on their way where a bound could stop everybody for good.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// mailboxRoom is how many messages a channel holds where nothing asks for more.
// More gain nothing here, fewer let the sender wait more often.
const mailboxRoom = 128

// param is a parameter and its value; the default, until another is given.
type param struct {
	key   string
	value int64
}

// workload runs once, with the parameters that it names.
type workload struct {
	name   string
	params []param
	run    func(b *bench)
}

// bench is a run of a workload.
type bench struct {
	workload
	workers int64
	begun   time.Time
}

func (b *bench) param(key string) int64 {
	for _, p := range b.params {
		if p.key == key {
			return p.value
		}
	}
	panic("no such parameter: " + key)
}

// begin is where the time starts to count.
func (b *bench) begin() {
	b.begun = time.Now()
}

// finish checks the result, and reports ops operations since begin.
func (b *bench) finish(ops, got, expected int64) {
	took := time.Since(b.begun)
	b.check(got, expected)
	b.report(b.name, ops, took.Nanoseconds(), "")
}

func (b *bench) check(got, expected int64) {
	if got != expected {
		fail(1, "%s: the result is %d, not %d", b.name, got, expected)
	}
}

func (b *bench) report(name string, ops, ns int64, extra string) {
	fmt.Printf("bench=%s impl=go workers=%d ops=%d ns_per_op=%.2f rss_kb=%d%s\n",
		name, b.workers, ops, float64(ns)/float64(ops), memoryKB("VmHWM:"), extra)
}

// memoryKB is a figure on this process's memory: "VmHWM:" is the most that it
// had, "VmRSS:" what it has now.
func memoryKB(field string) int64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		fail(1, "%v", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) > 1 && words[0] == field {
			kb, _ := strconv.ParseInt(words[1], 10, 64)
			return kb
		}
	}
	return 0
}

// random is the minimal standard generator of Park and Miller, so that the
// choices are the same in all programs.
type random uint64

func (seed *random) next() int64 {
	*seed = *seed * 48271 % 2147483647
	return int64(*seed)
}

func fail(status int, format string, values ...any) {
	fmt.Fprintf(os.Stderr, "go-bench: "+format+"\n", values...)
	os.Exit(status)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go-bench NAME [workers=2] [key=value...]")
	for _, w := range workloads() {
		fmt.Fprintf(os.Stderr, "  %-14s", w.name)
		for _, p := range w.params {
			fmt.Fprintf(os.Stderr, " %s=%d", p.key, p.value)
		}
		fmt.Fprintln(os.Stderr)
	}
	os.Exit(2)
}

func workloads() []workload {
	var all []workload
	all = append(all, talk...)
	all = append(all, flow...)
	all = append(all, create...)
	all = append(all, crowd...)
	return append(all, clock...)
}

// set takes key=value.
func (b *bench) set(text string) bool {
	key, digits, _ := strings.Cut(text, "=")
	value, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || value < 1 {
		return false
	}
	if key == "workers" {
		b.workers = value
		return true
	}
	for i := range b.params {
		if b.params[i].key == key {
			b.params[i].value = value
			return true
		}
	}
	return false
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	for _, w := range workloads() {
		if w.name != os.Args[1] {
			continue
		}
		b := &bench{workload: w, workers: 2}
		for _, text := range os.Args[2:] {
			if !b.set(text) {
				fail(2, "%s: no such parameter, or not a number of 1 or more", text)
			}
		}
		runtime.GOMAXPROCS(int(b.workers))
		b.run(b)
		return
	}
	usage()
}
