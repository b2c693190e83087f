// The bodies of Asio, compiled here once instead of in every file that uses it: the definitions of
// target grid_usage tell its headers so.

#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
