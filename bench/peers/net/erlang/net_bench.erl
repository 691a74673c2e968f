%% The workloads between two processes, for Erlang's distribution; erlang-net
%% starts both.
%%
%%   erlang-net NAME [workers=2] [pin=0|1] [key=value...]
%%   erlang-net            lists them with their parameters
%%
%% Prints a line for each run, as greenroom-bench-net does. The messages of a
%% flow have no numbers: the sink counts them, no more, as that is faster. An ask
%% is a call of a gen_server; a thousand at a time are those of a thousand
%% processes. Exit status: 0; 1 when it failed; 2 for a bad command line.
-module(net_bench).
-behaviour(gen_server).
-export([main/0, far/1, sink/2, echo/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(WARM, 1000).

workloads() ->
    [
        {"oneway32", [{senders, 1}, {n, 1000000}], fun(P) -> flow(P, 32) end},
        {"oneway64k", [{senders, 1}, {n, 20000}], fun(P) -> flow(P, 65536) end},
        {"oneway1m", [{senders, 1}, {n, 1000}], fun(P) -> flow(P, 1048576) end},
        {"rtt32", [{n, 10000}], fun rtt/1},
        {"ask1", [{n, 10000}], fun(P) -> asks(P, 1) end},
        {"ask1000", [{n, 50000}], fun(P) -> asks(P, 1000) end}
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
    Params = lists:foldl(fun set/2, [{workers, 0}, {pin, 0} | Defaults], Texts),
    Run = fun() ->
        pong = net_adm:ping(far()),
        Workload(maps:from_list([{name, Name} | Params]))
    end,
    {Pid, Ref} = spawn_monitor(Run),
    receive
        {'DOWN', Ref, process, Pid, normal} -> halt(0);
        {'DOWN', Ref, process, Pid, Reason} -> fail(1, "~s: ~p", [Name, Reason])
    end.

set("transport=tcp", Params) ->
    Params;
set(Text, Params) ->
    try
        [Word, Digits] = string:split(Text, "="),
        Key = list_to_existing_atom(Word),
        Value = list_to_integer(Digits),
        true = lists:keymember(Key, 1, Params),
        true = Value >= 1 orelse (Key =:= pin andalso Value =:= 0),
        lists:keyreplace(Key, 1, Params, {Key, Value})
    catch
        error:_ ->
            fail(2, "~s: no such parameter, or not a number of 1 or more", [Text])
    end.

usage() ->
    io:format(standard_error, "usage: erlang-net NAME [workers=N] [pin=0|1] [key=value...]~n", []),
    lists:foreach(
        fun({Name, Params, _}) ->
            Texts = [io_lib:format(" ~s=~b", [Key, Value]) || {Key, Value} <- Params],
            io:format(standard_error, "  ~-14s~s~n", [Name, Texts])
        end,
        workloads()
    ),
    halt(2).

fail(Status, Format, Values) ->
    io:format(standard_error, "erlang-net: " ++ Format ++ "~n", Values),
    halt(Status).

%% The other emulator: whoever has the cookie may spawn there.
far([Ready]) ->
    ok = file:write_file(Ready, "").

far() ->
    'far@127.0.0.1'.

%% ---- for the workloads ----------------------------------------------------

now_ns() ->
    erlang:monotonic_time(nanosecond).

report(#{name := Name}, Ops, Ns, Extra) ->
    io:format("bench=net_~s impl=erlang-tcp workers=~b ops=~b ns_per_op=~.2f~s~n",
              [Name, erlang:system_info(schedulers), Ops, Ns / Ops, Extra]).

report_times(Params, Ns, Times) ->
    Sorted = lists:sort(Times),
    N = length(Sorted),
    Text = io_lib:format(" p50=~b p99=~b",
                         [lists:nth(N div 2 + 1, Sorted), lists:nth(N - N div 100, Sorted)]),
    report(Params, N, Ns, Text).

%% ---- one way --------------------------------------------------------------

sink(Owner, 0) ->
    Owner ! done;
sink(Owner, Left) ->
    receive
        {m, Bytes} when is_binary(Bytes) -> sink(Owner, Left - 1)
    end.

send(_To, _Message, 0) ->
    ok;
send(To, Message, N) ->
    To ! Message,
    send(To, Message, N - 1).

flow_once(N, Senders, Size) ->
    Message = {m, binary:copy(<<1>>, Size)},
    To = spawn_opt(far(), ?MODULE, sink, [self(), N], [{message_queue_data, off_heap}]),
    Begun = now_ns(),
    lists:foreach(
        fun(I) ->
            More = case I =< N rem Senders of true -> 1; false -> 0 end,
            spawn_link(fun() -> send(To, Message, N div Senders + More) end)
        end,
        lists:seq(1, Senders)
    ),
    receive
        done -> now_ns() - Begun
    end.

%% Once with a tenth, so that what grows has grown.
flow(#{n := N, senders := Senders} = Params, Size) ->
    flow_once(N div 10 + 1, Senders, Size),
    Ns = flow_once(N, Senders, Size),
    report(Params, N, Ns,
           io_lib:format(" senders=~b mb_per_s=~.1f", [Senders, N * Size * 1.0e3 / Ns])).

%% ---- round trips ----------------------------------------------------------

echo() ->
    receive
        {ping, From, Bytes} ->
            From ! {pong, Bytes},
            echo()
    end.

ping(_To, _Bytes, 0, Times) ->
    Times;
ping(To, Bytes, N, Times) ->
    Begun = now_ns(),
    To ! {ping, self(), Bytes},
    receive
        {pong, Bytes} -> ok
    end,
    ping(To, Bytes, N - 1, [now_ns() - Begun | Times]).

rtt(#{n := N} = Params) ->
    Bytes = binary:copy(<<1>>, 32),
    To = spawn(far(), ?MODULE, echo, []),
    ping(To, Bytes, ?WARM, []),
    Begun = now_ns(),
    Times = ping(To, Bytes, N, []),
    report_times(Params, now_ns() - Begun, Times).

%% ---- asks -----------------------------------------------------------------

init([]) ->
    {ok, none}.

handle_call({add, I}, _From, State) ->
    {reply, {sum, I + 1}, State}.

handle_cast(_, State) ->
    {noreply, State}.

ask(_To, 0, Times) ->
    Times;
ask(To, N, Times) ->
    Begun = now_ns(),
    Sum = N + 1,
    {sum, Sum} = gen_server:call(To, {add, N}),
    ask(To, N - 1, [now_ns() - Begun | Times]).

asks(#{n := N} = Params, Open) ->
    Owner = self(),
    {ok, To} = rpc:call(far(), gen_server, start, [?MODULE, [], []]),
    ask(To, ?WARM, []),
    Each = max(1, N div Open),
    Begun = now_ns(),
    lists:foreach(
        fun(_) -> spawn_link(fun() -> Owner ! {times, ask(To, Each, [])} end) end,
        lists:seq(1, Open)
    ),
    Lists = [receive {times, Times} -> Times end || _ <- lists:seq(1, Open)],
    report_times(Params, now_ns() - Begun, lists:append(Lists)).
