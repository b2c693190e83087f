#include "grid/transport/spawn.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

namespace grid::internal {

void Spawn(boost::asio::io_context& io,
           absl::AnyInvocable<boost::asio::awaitable<void>()> coroutine,
           absl::AnyInvocable<void(std::string_view what)> failed) {
  boost::asio::co_spawn(io, std::move(coroutine),
                        [failed = std::move(failed)](std::exception_ptr error) mutable {
                          if (error == nullptr) return;
                          try {
                            std::rethrow_exception(error);
                          } catch (const std::exception& e) {
                            failed(e.what());
                          } catch (...) {
                            failed("an exception that is no std::exception");
                          }
                        });
}

}  // namespace grid::internal
