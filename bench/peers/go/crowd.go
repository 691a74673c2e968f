package main

// Many who meet at random: big, chameneos, bank.

var crowd = []workload{
	{"big", []param{{"actors", 120}, {"pings", 20000}}, runBig},
	{"chameneos", []param{{"creatures", 100}, {"meetings", 800000}}, runChameneos},
	{"bank", []param{{"accounts", 1000}, {"n", 500000}}, runBank},
}

// ---- big

// bigMessage is a ping that asks for an answer, or a pong.
type bigMessage struct {
	from int64
	pong bool
}

// bigActor asks somebody at random as soon as the last one has answered, and
// answers the others for ever.
func bigActor(b *bench, id, pings int64, all []chan bigMessage, done chan<- int64) {
	seed := random(id + 1)
	expected := int64(-1)
	sent := int64(0)
	next := func() {
		if sent == pings {
			done <- sent
			return
		}
		sent++
		expected = seed.next() % int64(len(all))
		all[expected] <- bigMessage{from: id}
	}
	next()
	for m := range all[id] {
		if !m.pong {
			all[m.from] <- bigMessage{from: id, pong: true}
			continue
		}
		b.check(m.from, expected)
		next()
	}
}

func runBig(b *bench) {
	actors, pings := b.param("actors"), b.param("pings")
	all := make([]chan bigMessage, actors)
	for i := range all {
		// Each has one ping on its way, and gets one pong: nobody waits.
		all[i] = make(chan bigMessage, actors+1)
	}
	done := make(chan int64, actors)
	b.begin()
	for i := range all {
		go bigActor(b, int64(i), pings, all, done)
	}
	sum := int64(0)
	for range all {
		sum += <-done
	}
	b.finish(2*actors*pings, sum, actors*pings)
}

// ---- chameneos

type meetKind int

const (
	partner meetKind = iota // from the mall: meet this one
	change                  // from the partner: take this colour
	fade                    // from the mall: there are no more meetings
)

type creatureMessage struct {
	kind   meetKind
	colour int64
	other  chan<- creatureMessage
}

// request is what a creature asks the mall for.
type request struct {
	colour int64
	who    chan<- creatureMessage
}

func mall(in <-chan request, left int64) {
	for {
		first := <-in
		if left == 0 {
			first.who <- creatureMessage{kind: fade}
			continue
		}
		second := <-in
		left--
		first.who <- creatureMessage{partner, second.colour, second.who}
	}
}

func complement(a, b int64) int64 {
	if a == b {
		return a
	}
	return 3 - a - b
}

func creature(mall chan<- request, colour int64, faded chan<- int64) {
	// There is never more than one message on its way to a creature.
	in := make(chan creatureMessage, 1)
	meetings := int64(0)
	for {
		mall <- request{colour, in}
		m := <-in
		switch m.kind {
		case fade:
			faded <- meetings
			return
		case partner:
			colour = complement(colour, m.colour)
			m.other <- creatureMessage{kind: change, colour: colour}
		case change:
			colour = m.colour
		}
		meetings++
	}
}

func runChameneos(b *bench) {
	creatures, meetings := b.param("creatures"), b.param("meetings")
	in := make(chan request, creatures)
	faded := make(chan int64, creatures)
	go mall(in, meetings)
	b.begin()
	for i := int64(0); i < creatures; i++ {
		go creature(in, i%3, faded)
	}
	sum := int64(0)
	for i := int64(0); i < creatures; i++ {
		sum += <-faded
	}
	b.finish(meetings, sum, 2*meetings)
}

// ---- bank

const (
	balance   = 1000000
	amountMax = 1000
)

type bankKind int

const (
	transfer bankKind = iota // move the amount to another account
	deposit                  // take the amount
	closing                  // tell your balance, and end
)

type order struct {
	kind   bankKind
	amount int64
	to     chan<- order // of a transfer
	answer chan<- int64
}

// account waits for the answer to its deposit at a channel of its own; what
// comes meanwhile stays in its mailbox.
func account(in <-chan order) {
	money := int64(balance)
	deposited := make(chan int64, 1)
	for o := range in {
		switch o.kind {
		case transfer:
			money -= o.amount
			o.to <- order{kind: deposit, amount: o.amount, answer: deposited}
			o.answer <- <-deposited
		case deposit:
			money += o.amount
			o.answer <- o.amount
		case closing:
			o.answer <- money
			return
		}
	}
}

func runBank(b *bench) {
	n, transfers := b.param("accounts"), b.param("n")
	if n < 10 {
		fail(2, "bank: there are at least 10 accounts")
	}
	accounts := make([]chan order, n)
	for i := range accounts {
		accounts[i] = make(chan order, mailboxRoom)
		go account(accounts[i])
	}
	// The teller takes no answer before it has sent all: with less room, it and
	// the accounts would wait for each other. Money goes to later accounts only,
	// so that accounts never wait in a circle.
	answers := make(chan int64, transfers)
	seed := random(123456)
	amounts := int64(0)
	b.begin()
	for i := int64(0); i < transfers; i++ {
		from := seed.next() % (n / 10 * 8)
		distance := seed.next() % (n - from)
		if distance == 0 {
			distance = 1
		}
		amount := 1 + seed.next()%amountMax
		amounts += amount
		accounts[from] <- order{transfer, amount, accounts[from+distance], answers}
	}
	for i := int64(0); i < transfers; i++ {
		amounts -= <-answers
	}
	b.check(amounts, 0)
	for i := range accounts {
		accounts[i] <- order{kind: closing, answer: answers}
	}
	money := int64(0)
	for range accounts {
		money += <-answers
	}
	b.finish(transfers, money, n*balance)
}
