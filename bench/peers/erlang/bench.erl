%% The workloads by which actor runtimes are compared, for Erlang/OTP.
%%
%%   erlang-bench NAME [workers=2] [key=value...]
%%   erlang-bench            lists them with their parameters
%%
%% Prints a line for each run, as greenroom-bench does:
%%   bench=NAME impl=erlang workers=N ops=N ns_per_op=X rss_kb=Y
%% Each workload checks its result. Exit status: 0; 1 when it failed; 2 for a bad
%% command line.
%%
%% Processes that are sent more than they can take meanwhile keep their messages
%% outside of their heap: the collector does not copy what only waits.
-module(bench).
-export([main/0]).

workloads() ->
    [
        {"pingpong", [{n, 2000000}], fun pingpong/1},
        {"pairs", [{n, 500000}, {pairs, 8}], fun pairs/1},
        {"threadring", [{actors, 100}, {hops, 5000000}], fun threadring/1},
        {"counting", [{n, 5000000}], fun counting/1},
        {"mailbox", [{senders, 20}, {n, 250000}], fun mailbox/1},
        {"fjthroughput", [{actors, 60}, {n, 50000}], fun fjthroughput/1},
        {"fjcreate", [{n, 200000}], fun fjcreate/1},
        {"fib", [{n, 25}], fun fib/1},
        {"idle", [{n, 1000000}], fun idle/1},
        {"big", [{actors, 120}, {pings, 20000}], fun big/1},
        {"chameneos", [{creatures, 100}, {meetings, 800000}], fun chameneos/1},
        {"bank", [{accounts, 1000}, {n, 500000}], fun bank/1},
        {"latency", [{rate, 20000}, {n, 40000}, {tick, 1000}], fun latency/1}
    ].

%% ---- the program ----------------------------------------------------------

main() ->
    case init:get_plain_arguments() of
        [Name | Texts] -> run(lists:keyfind(Name, 1, workloads()), Texts);
        [] -> usage()
    end.

run(false, _) ->
    usage();
run({Name, Defaults, Workload}, Texts) ->
    Params = lists:foldl(fun set/2, [{workers, 2} | Defaults], Texts),
    %% The program's end is that of a process that nobody else needs.
    Run = fun() -> Workload(maps:from_list([{name, Name} | Params])) end,
    {Pid, Ref} = spawn_monitor(Run),
    receive
        {'DOWN', Ref, process, Pid, normal} -> halt(0);
        {'DOWN', Ref, process, Pid, Reason} -> fail(1, "~s: ~p", [Name, Reason])
    end.

set(Text, Params) ->
    try
        [Word, Digits] = string:split(Text, "="),
        Key = list_to_existing_atom(Word),
        Value = list_to_integer(Digits),
        true = Value >= 1 andalso lists:keymember(Key, 1, Params),
        lists:keyreplace(Key, 1, Params, {Key, Value})
    catch
        error:_ ->
            fail(2, "~s: no such parameter, or not a number of 1 or more", [Text])
    end.

usage() ->
    io:format(standard_error, "usage: erlang-bench NAME [workers=2] [key=value...]~n", []),
    lists:foreach(
        fun({Name, Params, _}) ->
            Texts = [io_lib:format(" ~s=~b", [Key, Value]) || {Key, Value} <- Params],
            io:format(standard_error, "  ~-14s~s~n", [Name, Texts])
        end,
        workloads()
    ),
    halt(2).

fail(Status, Format, Values) ->
    io:format(standard_error, "erlang-bench: " ++ Format ++ "~n", Values),
    halt(Status).

%% ---- for the workloads ----------------------------------------------------

now_ns() ->
    erlang:monotonic_time(nanosecond).

%% A figure on this process's memory: "VmHWM:" is the most that it had, "VmRSS:"
%% what it has now.
memory_kb(Field) ->
    {ok, Text} = file:read_file("/proc/self/status"),
    [Rest] = [tl(Words) || Line <- string:split(Text, "\n", all),
                           Words <- [string:lexemes(Line, " \t")],
                           Words =/= [], hd(Words) =:= Field],
    binary_to_integer(hd(Rest)).

report(Params, Name, Ops, Ns, Extra) ->
    #{workers := Workers} = Params,
    io:format("bench=~s impl=erlang workers=~b ops=~b ns_per_op=~.2f rss_kb=~b~s~n",
              [Name, Workers, Ops, Ns / Ops, memory_kb(<<"VmHWM:">>), Extra]).

check(_Name, Expected, Expected) ->
    ok;
check(Name, Got, Expected) ->
    fail(1, "~s: the result is ~b, not ~b", [Name, Got, Expected]).

finish(#{name := Name} = Params, Begun, Ops, Got, Expected) ->
    Ns = now_ns() - Begun,
    check(Name, Got, Expected),
    report(Params, Name, Ops, Ns, "").

%% The sum of what N messages {done, X} bring.
gather(N) ->
    gather(N, 0).

gather(0, Sum) ->
    Sum;
gather(N, Sum) ->
    receive
        {done, X} -> gather(N - 1, Sum + X)
    end.

%% The minimal standard generator of Park and Miller, so that the choices are the
%% same in all programs.
random(Seed) ->
    Seed * 48271 rem 2147483647.

spawn_queue(Fun) ->
    spawn_opt(Fun, [{message_queue_data, off_heap}]).

%% ---- pingpong, pairs ------------------------------------------------------

pong() ->
    receive
        {ping, From, I} ->
            From ! {pong, I + 1},
            pong()
    end.

ping(Owner, _Pong, N, N, Sum) ->
    Owner ! {done, Sum};
ping(Owner, Pong, I, N, Sum) ->
    Pong ! {ping, self(), I},
    receive
        {pong, X} -> ping(Owner, Pong, I + 1, N, Sum + X)
    end.

pingpong(Params) ->
    pairs(Params#{pairs => 1}).

pairs(#{n := N, pairs := Pairs} = Params) ->
    Self = self(),
    Pongs = [spawn(fun pong/0) || _ <- lists:seq(1, Pairs)],
    Begun = now_ns(),
    [spawn(fun() -> ping(Self, Pong, 0, N, 0) end) || Pong <- Pongs],
    finish(Params, Begun, 2 * N * Pairs, gather(Pairs), Pairs * (N * (N + 1) div 2)).

%% ---- threadring -----------------------------------------------------------

ring(Owner, Size) ->
    receive
        {next, Next} -> ring(Owner, Size, Next, none)
    end.

%% The token has fallen by the size of the ring since it was here.
ring(Owner, Size, Next, Expected) ->
    receive
        {token, Left} when Left =:= Expected; Expected =:= none ->
            case Left of
                0 -> Owner ! {done, 0};
                _ -> Next ! {token, Left - 1}
            end,
            ring(Owner, Size, Next, Left - Size);
        {token, Left} ->
            check("threadring", Left, Expected)
    end.

threadring(#{actors := Size, hops := Hops} = Params) ->
    Self = self(),
    [First | Rest] = Ring = [spawn(fun() -> ring(Self, Size) end) || _ <- lists:seq(1, Size)],
    lists:foreach(fun({Pid, Next}) -> Pid ! {next, Next} end, lists:zip(Ring, Rest ++ [First])),
    Begun = now_ns(),
    First ! {token, Hops},
    finish(Params, Begun, Hops, gather(1), 0).

%% ---- counting, mailbox, fjthroughput --------------------------------------

adder(Owner, Sum) ->
    receive
        {add, I} -> adder(Owner, Sum + I);
        get -> Owner ! {done, Sum}
    end.

adder_of(Owner, 0, Sum) ->
    Owner ! {done, Sum};
adder_of(Owner, N, Sum) ->
    receive
        {add, I} -> adder_of(Owner, N - 1, Sum + I)
    end.

produce(_To, I, N) when I > N ->
    ok;
produce(To, I, N) ->
    To ! {add, I},
    produce(To, I + 1, N).

counting(#{n := N} = Params) ->
    Self = self(),
    To = spawn_queue(fun() -> adder(Self, 0) end),
    Begun = now_ns(),
    spawn(fun() -> produce(To, 1, N), To ! get end),
    finish(Params, Begun, N, gather(1), N * (N + 1) div 2).

mailbox(#{senders := Senders, n := N} = Params) ->
    Self = self(),
    To = spawn_queue(fun() -> adder_of(Self, Senders * N, 0) end),
    Begun = now_ns(),
    [spawn(fun() -> produce(To, 1, N) end) || _ <- lists:seq(1, Senders)],
    finish(Params, Begun, Senders * N, gather(1), Senders * (N * (N + 1) div 2)).

fan_out(_To, I, N) when I > N ->
    ok;
fan_out(To, I, N) ->
    lists:foreach(fun(Pid) -> Pid ! {add, I} end, To),
    fan_out(To, I + 1, N).

fjthroughput(#{actors := Actors, n := N} = Params) ->
    Self = self(),
    To = [spawn_queue(fun() -> adder_of(Self, N, 0) end) || _ <- lists:seq(1, Actors)],
    Begun = now_ns(),
    spawn(fun() -> fan_out(To, 1, N) end),
    finish(Params, Begun, Actors * N, gather(Actors), Actors * (N * (N + 1) div 2)).

%% ---- fjcreate, fib --------------------------------------------------------

mayfly() ->
    receive
        {do, From, I} -> From ! {done, I}
    end.

create(_Self, I, N) when I > N ->
    ok;
create(Self, I, N) ->
    spawn(fun mayfly/0) ! {do, Self, I},
    create(Self, I + 1, N).

fjcreate(#{n := N} = Params) ->
    process_flag(message_queue_data, off_heap),
    Begun = now_ns(),
    create(self(), 1, N),
    finish(Params, Begun, N, gather(N), N * (N + 1) div 2).

fib_actor(Parent, N) when N =< 2 ->
    Parent ! {done, 1};
fib_actor(Parent, N) ->
    Self = self(),
    spawn(fun() -> fib_actor(Self, N - 1) end),
    spawn(fun() -> fib_actor(Self, N - 2) end),
    Parent ! {done, gather(2)}.

fib_of(N) when N =< 2 ->
    1;
fib_of(N) ->
    fib_of(N - 1) + fib_of(N - 2).

fib(#{n := N} = Params) ->
    Self = self(),
    Result = fib_of(N),
    Begun = now_ns(),
    spawn(fun() -> fib_actor(Self, N) end),
    finish(Params, Begun, 2 * Result - 1, gather(1), Result).

%% ---- idle, idlewake -------------------------------------------------------

%% The last that has begun says so.
idler(Owner, ToBegin) ->
    case atomics:sub_get(ToBegin, 1, 1) of
        0 -> Owner ! {done, 0};
        _ -> ok
    end,
    idler().

idler() ->
    receive
        {wake, From, I} ->
            From ! {done, I},
            idler()
    end.

idle(#{n := N} = Params) ->
    process_flag(message_queue_data, off_heap),
    Self = self(),
    ToBegin = atomics:new(1, []),
    atomics:put(ToBegin, 1, N),
    Kb = memory_kb(<<"VmRSS:">>),
    Begun = now_ns(),
    Idlers = [spawn(fun() -> idler(Self, ToBegin) end) || _ <- lists:seq(1, N)],
    gather(1),
    Ns = now_ns() - Begun,
    Bytes = (memory_kb(<<"VmRSS:">>) - Kb) * 1024 div N,
    report(Params, "idle", N, Ns, io_lib:format(" bytes_per_actor=~b", [Bytes])),
    idlewake(Params#{name := "idlewake"}, Idlers).

idlewake(#{n := N} = Params, Idlers) ->
    Self = self(),
    Begun = now_ns(),
    lists:foldl(fun(Pid, I) -> Pid ! {wake, Self, I}, I + 1 end, 1, Idlers),
    finish(Params, Begun, N, gather(N), N * (N + 1) div 2).

%% ---- big ------------------------------------------------------------------

big_actor(Owner, Id, Pings) ->
    receive
        {others, All} -> big_next(Owner, Id, All, Pings, Id + 1)
    end.

big_next(Owner, Id, All, 0, Seed) ->
    Owner ! {done, 1},
    big_serve(Owner, Id, All, 0, Seed, none);
big_next(Owner, Id, All, Left, Seed) ->
    Next = random(Seed),
    To = Next rem tuple_size(All),
    element(To + 1, All) ! {ping, self(), Id},
    big_serve(Owner, Id, All, Left - 1, Next, To).

big_serve(Owner, Id, All, Left, Seed, Expected) ->
    receive
        {ping, From, _} ->
            From ! {pong, Id},
            big_serve(Owner, Id, All, Left, Seed, Expected);
        {pong, Who} when Who =:= Expected ->
            big_next(Owner, Id, All, Left, Seed);
        {pong, Who} ->
            check("big", Who, Expected)
    end.

big(#{actors := Actors, pings := Pings} = Params) ->
    Self = self(),
    All = [spawn(fun() -> big_actor(Self, I, Pings) end) || I <- lists:seq(0, Actors - 1)],
    Tuple = list_to_tuple(All),
    Begun = now_ns(),
    lists:foreach(fun(Pid) -> Pid ! {others, Tuple} end, All),
    finish(Params, Begun, 2 * Actors * Pings, gather(Actors), Actors).

%% ---- chameneos ------------------------------------------------------------

mall(0) ->
    receive
        {meet, Who, _} ->
            Who ! fade,
            mall(0)
    end;
mall(Left) ->
    receive
        {meet, First, _} ->
            receive
                {meet, Second, Colour} -> First ! {partner, Second, Colour}
            end
    end,
    mall(Left - 1).

complement(Colour, Colour) -> Colour;
complement(A, B) -> 3 - A - B.

creature(Owner, Mall, Colour, Meetings) ->
    Mall ! {meet, self(), Colour},
    receive
        {partner, Other, Theirs} ->
            Mine = complement(Colour, Theirs),
            Other ! {change, Mine},
            creature(Owner, Mall, Mine, Meetings + 1);
        {change, New} ->
            creature(Owner, Mall, New, Meetings + 1);
        fade ->
            Owner ! {done, Meetings}
    end.

chameneos(#{creatures := N, meetings := Meetings} = Params) ->
    Self = self(),
    Mall = spawn(fun() -> mall(Meetings) end),
    Begun = now_ns(),
    [spawn(fun() -> creature(Self, Mall, I rem 3, 0) end) || I <- lists:seq(0, N - 1)],
    finish(Params, Begun, Meetings, gather(N), 2 * Meetings).

%% ---- bank -----------------------------------------------------------------

-define(BALANCE, 1000000).
-define(AMOUNT_MAX, 1000).

%% While an account waits for the answer to its deposit, other messages stay in
%% its queue: the reference, which is younger than they are, lets the receive
%% begin behind them.
account(Balance) ->
    receive
        {transfer, Teller, Amount, To} ->
            Ref = make_ref(),
            To ! {deposit, self(), Ref, Amount},
            receive
                {deposited, Ref} -> Teller ! {done, Amount}
            end,
            account(Balance - Amount);
        {deposit, From, Ref, Amount} ->
            From ! {deposited, Ref},
            account(Balance + Amount);
        {close, Teller} ->
            Teller ! {done, Balance}
    end.

transfers(0, _Accounts, _N, _Seed, Amounts) ->
    Amounts;
transfers(Left, Accounts, N, Seed0, Amounts) ->
    Seed1 = random(Seed0),
    From = Seed1 rem (N div 10 * 8),
    Seed2 = random(Seed1),
    Distance = max(1, Seed2 rem (N - From)),
    Seed3 = random(Seed2),
    Amount = 1 + Seed3 rem ?AMOUNT_MAX,
    To = element(From + Distance + 1, Accounts),
    element(From + 1, Accounts) ! {transfer, self(), Amount, To},
    transfers(Left - 1, Accounts, N, Seed3, Amounts + Amount).

bank(#{accounts := N}) when N < 10 ->
    fail(2, "bank: there are at least 10 accounts", []);
bank(#{accounts := N, n := Transfers} = Params) ->
    process_flag(message_queue_data, off_heap),
    Self = self(),
    Accounts = [spawn_queue(fun() -> account(?BALANCE) end) || _ <- lists:seq(1, N)],
    Begun = now_ns(),
    Amounts = transfers(Transfers, list_to_tuple(Accounts), N, 123456, 0),
    check("bank", gather(Transfers), Amounts),
    lists:foreach(fun(Pid) -> Pid ! {close, Self} end, Accounts),
    finish(Params, Begun, Transfers, gather(N), N * ?BALANCE).

%% ---- latency --------------------------------------------------------------

echo(To) ->
    receive
        {time, Sent} ->
            To ! {echo, Sent},
            echo(To)
    end.

collector(Owner, 0, Times) ->
    Owner ! {times, lists:sort(Times)};
collector(Owner, N, Times) ->
    receive
        {echo, Sent} -> collector(Owner, N - 1, [now_ns() - Sent | Times])
    end.

%% Timers count milliseconds here: for shorter ticks the sender gives way until it
%% is time.
sleep_until(Ns) ->
    case Ns - now_ns() of
        Rest when Rest >= 1000000 ->
            timer:sleep(Rest div 1000000),
            sleep_until(Ns);
        Rest when Rest > 0 ->
            erlang:yield(),
            sleep_until(Ns);
        _ ->
            ok
    end.

pace(_Params, _To, _Begun, _Next, N, N) ->
    ok;
pace(#{rate := Rate, tick := Tick} = Params, To, Begun, Next, Sent, N) ->
    sleep_until(Next),
    Due = min(N, (now_ns() - Begun) div 1000 * Rate div 1000000),
    [To ! {time, now_ns()} || _ <- lists:seq(Sent + 1, Due)],
    pace(Params, To, Begun, Next + Tick * 1000, Due, N).

latency(#{n := N, tick := Tick} = Params) ->
    Self = self(),
    Collector = spawn(fun() -> collector(Self, N, []) end),
    Echo = spawn(fun() -> echo(Collector) end),
    Begun = now_ns(),
    pace(Params, Echo, Begun, Begun + Tick * 1000, 0, N),
    receive
        {times, Times} -> tell(Params, "latency_tick" ++ integer_to_list(Tick), N, Times)
    end.

tell(Params, Name, N, Times) ->
    Us = fun(I) -> lists:nth(I + 1, Times) / 1000 end,
    Extra = io_lib:format(" p50_us=~.1f p99_us=~.1f p999_us=~.1f max_us=~.1f",
                          [Us(N div 2), Us(N * 99 div 100), Us(N * 999 div 1000), Us(N - 1)]),
    report(Params, Name, N, lists:sum(Times), Extra).
