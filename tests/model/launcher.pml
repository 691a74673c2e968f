/*
 * A program, its launcher and what that starts (process/launcher_client.c,
 * process/launcher_main.c, process/divert.c), any of which may be killed.
 *
 * Goal:   each start has one end, and is told started at most once, before it;
 *         who is told to have ended is dead; what the launcher said of an end
 *         is not replaced by a guess; when nothing moves any more, nobody lives
 *         whose launcher or program is dead, and a launcher that lives has
 *         reaped all that are dead.
 * Method: the sockets are channels: what one who dies had sent can still be
 *         received, what he had not is lost with him. A process is there
 *         (FORKED) before its launcher goes on, executes, asks to die with its
 *         parent, and looks whether it still has the parent that it was to
 *         have; each of these is a step. Once the program knows of it, its code
 *         may take back what it asked for. SIGCHLD is a bit. The killer strikes
 *         at any moment, each of them or none.
 *
 * mutant NO_ASKING: a process does not ask to die with its launcher
 * mutant NO_SECOND_LOOK: it asks, and does not look whether it was too late
 * mutant LOOK_FIRST: it looks, and then asks
 * mutant NO_READING: what a dead launcher had said is not read
 * mutant NO_PIDFD: what a dead launcher had is left to the kernel
 * mutant TOLD_ALIVE: ends are told before they are awaited
 * mutant REAP_ONE: one is reaped for each SIGCHLD
 * mutant CLEAR_LATE: SIGCHLD is taken note of when all are reaped
 * mutant NO_PARTING: a launcher whose program is gone ends, and kills nobody
 * mutant END_FIRST: an end is told before the start
 */
#define N 2

mtype = { NONE, FORKED, EXECUTED, ASKED, TIED, ZOMBIE, GONE };
mtype = { START, KILL, STARTED, ENDED };

mtype state[N] = NONE;
bool asks[N];      /* it dies with its launcher, says the kernel */
bool adopted[N];   /* its launcher is dead */
bool doomed[N];    /* SIGKILL is on its way */
bool sigchld;
bool launcher = true, program = true; /* they live */
bool parted;       /* the launcher has ended by itself */

chan request = [N + N] of { mtype, byte };
chan report = [N + N] of { mtype, byte };

byte starts_told[N], ends_told[N];
bool asked[N], running[N]; /* as the program knows them */
bool end_said[N];          /* by the launcher */

#define lives(i) (state[i] != NONE && state[i] != ZOMBIE && state[i] != GONE)

/* Part of a step. Who has no launcher any more is reaped by another. */
inline die(i)
{
    if
    :: lives(i) && adopted[i] -> state[i] = GONE
    :: lives(i) && !adopted[i] -> state[i] = ZOMBIE; sigchld = true
    :: else
    fi
}

/* Part of a step. */
inline launcher_dies()
{
    launcher = false;
    k = 0;
    do
    :: k < N ->
        adopted[k] = true;
        if
        :: state[k] == ZOMBIE -> state[k] = GONE
        :: lives(k) && asks[k] -> doomed[k] = true
        :: else
        fi;
        k++
    :: else -> break
    od;
    k = 0
}

proctype process(byte i)
{
endnever:
    state[i] == FORKED || !launcher && state[i] == NONE;
    if
    :: state[i] == NONE -> goto over
    :: else
    fi;
    atomic {
        if
        :: state[i] == FORKED -> state[i] = EXECUTED
        :: else -> goto over
        fi
    }
#ifdef LOOK_FIRST
    atomic {
        if
        :: adopted[i] -> die(i); goto over
        :: else
        fi
    }
#endif
#ifndef NO_ASKING
    atomic {
        if
        :: state[i] == EXECUTED -> asks[i] = true; state[i] = ASKED
        :: else -> goto over
        fi
    }
#endif
#if !defined(NO_SECOND_LOOK) && !defined(LOOK_FIRST)
    atomic {
        if
        :: adopted[i] -> die(i); goto over
        :: else
        fi
    }
#endif
    atomic {
        if
        :: lives(i) -> state[i] = TIED
        :: else -> goto over
        fi
    }
    /* It may take back its wish, once the program knows of it. */
endruns:
    atomic {
        if
        :: running[i] && lives(i) && program -> asks[i] = false
        :: !lives(i) || !program || !launcher
        fi
    }
over:
    skip
}

inline say(what, i)
{
    atomic {
        if
        :: launcher -> report!what, i
        :: else
        fi
    }
}

/* Reaps all that are dead and tells of it. */
inline reap()
{
    r = 0;
    do
    :: r < N ->
        atomic {
            if
            :: launcher && state[r] == ZOMBIE -> state[r] = GONE; found = true
            :: else
            fi
        }
        if
        :: found && program ->
            atomic {
                if
                :: launcher -> report!ENDED, r; end_said[r] = true
                :: else
                fi;
                found = false
            }
#ifdef REAP_ONE
            break
#endif
        :: found && !program -> found = false
        :: else
        fi;
        r++
    :: else -> break
    od;
    r = 0
}

proctype launcher_process()
{
    byte i, r, k;
    bool found;
endidle:
    do
    :: !launcher -> break
    :: launcher && sigchld ->
#ifndef CLEAR_LATE
        sigchld = false;
#endif
        reap();
#ifdef CLEAR_LATE
        sigchld = false
#endif
    :: launcher && program && !sigchld && nempty(request) ->
        atomic {
            if
            :: launcher && request?[START, i] -> request?START, i;
                state[i] = FORKED
            :: launcher && request?[KILL, i] -> request?KILL, i;
                doomed[i] = lives(i); i = N
            :: else -> i = N
            fi
        }
        if
        :: i < N ->
#ifdef END_FIRST
            reap();
#endif
            say(STARTED, i)
        :: else
        fi;
        i = 0
    :: launcher && !program ->
#ifndef NO_PARTING
        do
        :: i < N ->
            atomic {
                if
                :: launcher -> doomed[i] = lives(i)
                :: else
                fi
            }
            i++
        :: else -> break
        od;
        /* It waits for each. */
        do
        :: !launcher || !lives(0) && !lives(1) -> break
        od;
        reap();
#endif
        atomic {
            if
            :: launcher -> parted = true; launcher_dies()
            :: else
            fi
        }
        break
    od
}

inline hear()
{
    if
    :: report?STARTED, i ->
        assert(asked[i] && !running[i] && ends_told[i] == 0);
        starts_told[i]++;
        running[i] = true
    :: report?ENDED, i ->
        assert(running[i] && ends_told[i] == 0);
        assert(!lives(i));
        ends_told[i]++;
        asked[i] = false
    fi;
    i = 0
}

proctype program_thread()
{
    byte i, k;
    bool told_to_end;
    /* Asks for all of them. */
    do
    :: k < N ->
        atomic {
            if
            :: program -> asked[k] = true; request!START, k; k++
            :: else -> goto over
            fi
        }
    :: else -> k = 0; break
    od;
endwaits:
    do
    :: atomic { program && nempty(report) -> hear() }
    :: atomic { program && !told_to_end && running[0] && asked[0] && launcher ->
            told_to_end = true; request!KILL, 0 }
    :: !program -> break
    :: program && !launcher && empty(report) -> goto lost
#ifdef NO_READING
    :: program && !launcher -> goto lost
#endif
    od;
    goto over;
lost:
#ifndef NO_PIDFD
    atomic {
        do
        :: k < N ->
            if
            :: program && running[k] && asked[k] -> doomed[k] = lives(k)
            :: else
            fi;
            k++
        :: else -> k = 0; break
        od
    }
#endif
    do
    :: k < N ->
#ifndef TOLD_ALIVE
        /* Bounded by a second in the program; nobody here refuses to die. */
        if
        :: running[k] && asked[k] -> !lives(k) || !program
        :: else
        fi;
#endif
        atomic {
            if
            :: program && asked[k] ->
                assert(!running[k] || !lives(k));
                assert(!end_said[k]);
                ends_told[k]++;
                asked[k] = false
            :: else
            fi
        }
        k++
    :: else -> break
    od;
over:
    skip
}

/* Who is killed dies, in a while. */
active proctype kernel()
{
end:
    do
    :: atomic { doomed[0] -> doomed[0] = false; die(0) }
    :: atomic { doomed[1] -> doomed[1] = false; die(1) }
    od
}

proctype killer()
{
    byte k;
    if
    :: atomic { lives(0) -> doomed[0] = true }
    :: skip
    fi;
    if
    :: atomic { lives(1) -> doomed[1] = true }
    :: skip
    fi;
    if
    :: atomic { launcher -> launcher_dies() }
    :: skip
    fi;
    if
    :: program = false
    :: skip
    fi
}

init
{
    atomic {
        run process(0);
        run process(1);
        run launcher_process();
        run program_thread();
        run killer()
    }
}

/* When nothing can move any more. */
active proctype judge()
{
    byte i;
    timeout;
    do
    :: i < N ->
        assert(starts_told[i] <= 1);
        assert(ends_told[i] <= 1);
        /* Nobody is left of what is dead. Both killed: but who took his wish
         * back. */
        assert(!(lives(i) && !launcher && (asks[i] || program)));
        assert(!(lives(i) && !launcher && !asks[i] && !running[i]));
        assert(!(lives(i) && parted));
        /* Nobody lies about. */
        assert(!(launcher && state[i] == ZOMBIE));
        /* Each start has its end. */
        assert(!(program && !launcher && ends_told[i] != 1));
        assert(!(program && launcher && state[i] == GONE && ends_told[i] != 1));
        i++
    :: else -> break
    od
}
