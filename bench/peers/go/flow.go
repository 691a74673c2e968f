package main

// Many messages one way: counting, mailbox, fjthroughput.

var flow = []workload{
	{"counting", []param{{"n", 5000000}}, runCounting},
	{"mailbox", []param{{"senders", 20}, {"n", 250000}}, runMailbox},
	{"fjthroughput", []param{{"actors", 60}, {"n", 50000}}, runFjthroughput},
}

// adder adds up all that comes, and tells when there is no more.
func adder(in <-chan int64, done chan<- int64) {
	sum := int64(0)
	for i := range in {
		sum += i
	}
	done <- sum
}

// adderOf adds up n messages, and tells.
func adderOf(n int64, in <-chan int64, done chan<- int64) {
	sum := int64(0)
	for ; n > 0; n-- {
		sum += <-in
	}
	done <- sum
}

func runCounting(b *bench) {
	n := b.param("n")
	in := make(chan int64, mailboxRoom)
	done := make(chan int64)
	go adder(in, done)
	b.begin()
	go func() {
		for i := int64(1); i <= n; i++ {
			in <- i
		}
		close(in)
	}()
	b.finish(n, <-done, n*(n+1)/2)
}

func runMailbox(b *bench) {
	senders, n := b.param("senders"), b.param("n")
	in := make(chan int64, mailboxRoom)
	done := make(chan int64)
	go adderOf(senders*n, in, done)
	b.begin()
	for s := int64(0); s < senders; s++ {
		go func() {
			for i := int64(1); i <= n; i++ {
				in <- i
			}
		}()
	}
	b.finish(senders*n, <-done, senders*(n*(n+1)/2))
}

func runFjthroughput(b *bench) {
	actors, n := b.param("actors"), b.param("n")
	to := make([]chan int64, actors)
	done := make(chan int64, actors)
	for i := range to {
		to[i] = make(chan int64, mailboxRoom)
		go adderOf(n, to[i], done)
	}
	b.begin()
	go func() {
		for i := int64(1); i <= n; i++ {
			for _, ch := range to {
				ch <- i
			}
		}
	}()
	sum := int64(0)
	for range to {
		sum += <-done
	}
	b.finish(actors*n, sum, actors*(n*(n+1)/2))
}
