// What all operations of the public API share: one started operation is one object, which holds the
// completion handler, and whose memory is the handler's associated allocator's.
#ifndef GRID_HANDLERS_OPERATION_H_
#define GRID_HANDLERS_OPERATION_H_

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "handlers/recycling_allocator.h"

namespace grid {

namespace asio = boost::asio;

namespace internal {

// Whether what `executor` is given by the thread that runs `io` would run at once.
template <typename Executor>
bool RunsHere(const Executor& executor, const asio::io_context& io) {
  using Io = asio::io_context::executor_type;
  if constexpr (std::is_same_v<Executor, Io>) {
    return &executor.context() == &io;
  } else if constexpr (requires { executor.template target<Io>(); }) {
    const Io* target = executor.template target<Io>();
    return target != nullptr && &target->context() == &io;
  } else {
    return false;
  }
}

// Gives `function` to `executor`, from any thread; it does not run inside. Once this has returned,
// nobody uses `executor` but to run it; except that an asio::any_completion_executor, which can't
// be posted to, is led to by a thread of the system's.
template <typename Executor, typename Function>
void PostOn(const Executor& executor, Function function) {
  if constexpr (asio::can_require_v<Executor, asio::execution::blocking_t::never_t>) {
    asio::post(executor, std::move(function));
  } else {
    asio::post(asio::system_executor(), [executor, function = std::move(function)]() mutable {
      asio::dispatch(executor, std::move(function));
    });
  }
}

// The memory of an Operation that holds a Handler: its allocator's, or a recycling one's if it has
// none.
template <typename Operation, typename Handler>
class OperationMemory {
 private:
  using Fallback = RecyclingAllocator<void>;
  using Traits = typename std::allocator_traits<
      asio::associated_allocator_t<Handler, Fallback>>::template rebind_traits<Operation>;

 public:
  using Allocator = typename Traits::allocator_type;

  static Allocator AllocatorOf(const Handler& handler) {
    return Allocator(asio::get_associated_allocator(handler, Fallback()));
  }

  // `make(memory)` constructs the operation there.
  template <typename Make>
  static Operation* New(Allocator allocator, Make&& make) {
    Operation* const memory = Traits::allocate(allocator, 1);
    try {
      return make(memory);
    } catch (...) {
      Traits::deallocate(allocator, memory, 1);
      throw;
    }
  }

  // The destructor has run already.
  static void Free(Allocator allocator, Operation* memory) {
    Traits::deallocate(allocator, memory, 1);
  }
};

// Ends an operation by dropping it.
struct OperationDropper {
  template <typename Operation>
  void operator()(Operation* operation) const {
    operation->Drop();
  }
};

}  // namespace internal
}  // namespace grid

#endif  // GRID_HANDLERS_OPERATION_H_
