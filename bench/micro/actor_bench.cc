// Letters to an actor of the same process: put into its mailbox, and handled; one thread does both.
//
//   build/release/bin/actor_bench
//
// `each` is the time of one letter, from putting it to the end of its handler, in bursts of the
// given size: with 1 the actor is woken for each. Sends have no answer; asks have one, whose sink
// and bytes are what is allocated. Plain handlers, and coroutines that do not wait.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "bench/micro/measure.h"
#include "grid/actor/actor_cell.h"
#include "serialization/buffer_pool.h"

namespace grid {
namespace {

constexpr MessageType<uint64_t, uint64_t> kAdd{"bench.add"};

class Adder final : public Actor {
 public:
  explicit Adder(bool coroutine) {
    if (coroutine) {
      On(kAdd, [this](uint64_t by, ActorContext&) -> asio::awaitable<absl::StatusOr<uint64_t>> {
        co_return total_ += by;
      });
    } else {
      On(kAdd,
         [this](uint64_t by, ActorContext&) -> absl::StatusOr<uint64_t> { return total_ += by; });
    }
  }

 private:
  uint64_t total_ = 0;
};

class Sink final : public OutcomeSink {
 public:
  explicit Sink(uint64_t& answers) : answers_(answers) {}
  void Complete(LetterOutcome outcome) override { answers_ += outcome.ok() ? 1 : 0; }

 private:
  uint64_t& answers_;
};

class Host {
 public:
  explicit Host(bool coroutine) {
    ActorOptions options;
    options.holding = Holding::kShared;
    options.mailbox.capacity = 10'000;
    cell_ = std::make_shared<internal::ActorCell>(
        runtime_, *Name::Parse("bench/actor/1"), options,
        [coroutine] { return std::make_unique<Adder>(coroutine); });
    cell_->Start(1, LeaseToken(), Completion<absl::Status>([](const absl::Status& status) {
                   if (!status.ok()) std::abort();
                 }));
    Run();
    if (!Encode(uint64_t{3}, body_).ok()) std::abort();
  }
  ~Host() {
    cell_->Stop(StopMode::kKill);
    Run();
  }

  void Put(uint64_t* answers) {
    Letter letter;
    letter.message = pool_->Copy(AsBytes(kAdd.name()));
    letter.message.Append(body_);
    letter.type_bytes = static_cast<uint32_t>(kAdd.name().size());
    letter.sender = sender_;
    if (answers != nullptr) letter.reply = ReplyToken(std::make_unique<Sink>(*answers));
    cell_->Put(std::move(letter));
  }
  void Run() {
    io_.restart();
    io_.poll();
  }

 private:
  asio::io_context io_{1};
  const std::shared_ptr<internal::ActorRuntime> runtime_ =
      std::make_shared<internal::ActorRuntime>(io_, io_, RealClock(), NullLog());
  const std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  const std::shared_ptr<const Sender> sender_ = std::make_shared<const Sender>();
  Buffer body_;
  std::shared_ptr<internal::ActorCell> cell_;
};

void Letters(benchmark::State& state, bool coroutine, bool ask) {
  const int64_t burst = state.range(0);
  Host host(coroutine);
  uint64_t answers = 0;
  uint64_t asked = 0;
  bench::Measure(
      state,
      [&] {
        for (int64_t i = 0; i < burst; ++i) host.Put(ask ? &answers : nullptr);
        asked += ask ? static_cast<uint64_t>(burst) : 0;
        host.Run();
      },
      burst);
  if (answers != asked) std::abort();
  state.SetItemsProcessed(state.iterations() * burst);
}

void SendPlain(benchmark::State& state) { Letters(state, false, false); }
void SendCoroutine(benchmark::State& state) { Letters(state, true, false); }
void AskPlain(benchmark::State& state) { Letters(state, false, true); }
void AskCoroutine(benchmark::State& state) { Letters(state, true, true); }

BENCHMARK(SendPlain)->Arg(1)->Arg(64)->Arg(1000);
BENCHMARK(SendCoroutine)->Arg(1)->Arg(64)->Arg(1000);
BENCHMARK(AskPlain)->Arg(1)->Arg(64)->Arg(1000);
BENCHMARK(AskCoroutine)->Arg(1)->Arg(64)->Arg(1000);

}  // namespace
}  // namespace grid
