package main

// Who answers whom: pingpong, pairs, threadring.

var talk = []workload{
	{"pingpong", []param{{"n", 2000000}}, runPingpong},
	{"pairs", []param{{"n", 500000}, {"pairs", 8}}, runPairs},
	{"threadring", []param{{"actors", 100}, {"hops", 5000000}}, runThreadring},
}

// call is a number, and where the answer is to go.
type call struct {
	i  int64
	to chan<- int64
}

func pong(in <-chan call) {
	for c := range in {
		c.to <- c.i + 1
	}
}

func ping(n int64, pong chan<- call, done chan<- int64) {
	in := make(chan int64, 1)
	sum := int64(0)
	for i := int64(0); i < n; i++ {
		pong <- call{i, in}
		sum += <-in
	}
	done <- sum
}

func (b *bench) pairs(pairs int64) {
	n := b.param("n")
	pongs := make([]chan call, pairs)
	done := make(chan int64, pairs)
	for i := range pongs {
		pongs[i] = make(chan call, 1)
		go pong(pongs[i])
	}
	b.begin()
	for i := range pongs {
		go ping(n, pongs[i], done)
	}
	sum := int64(0)
	for range pongs {
		sum += <-done
	}
	b.finish(2*n*pairs, sum, pairs*n*(n+1)/2)
}

func runPingpong(b *bench) {
	b.pairs(1)
}

func runPairs(b *bench) {
	b.pairs(b.param("pairs"))
}

// ringActor passes the token on, and sees to it that the token has fallen by the
// size of the ring since it was here.
func ringActor(b *bench, size int64, in <-chan int64, next chan<- int64, done chan<- int64) {
	expected := int64(-1)
	for left := range in {
		if expected >= 0 {
			b.check(left, expected)
		}
		expected = left - size
		if left == 0 {
			done <- 0
			return
		}
		next <- left - 1
	}
}

func runThreadring(b *bench) {
	size, hops := b.param("actors"), b.param("hops")
	ring := make([]chan int64, size)
	for i := range ring {
		ring[i] = make(chan int64, 1)
	}
	done := make(chan int64)
	for i := range ring {
		go ringActor(b, size, ring[i], ring[(int64(i)+1)%size], done)
	}
	b.begin()
	ring[0] <- hops
	b.finish(hops, <-done, 0)
}
