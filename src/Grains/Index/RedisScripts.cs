namespace Angarium.Grains.Index;

/// <summary>
/// What Redis does for the index: one script a call of the seam, so that entry, lane and wake-up change together or not at all. Every key of a script is in one hash
/// slot: what it touches is named by KEYS, but for the queues of lanes that it reads from the domain's own list of lanes. Redis 7 or later: its commands are those of 6.2,
/// which takes a script's writes on a primary that lost the replicas it needs: one that was deposed would confirm tokens.
/// <para>
/// No script has a `#!lua` line: with one, Redis 7 either refuses the whole script when memory is full or lets it take without limit. Without one, it refuses the
/// first write that may add (ZADD) and passes everything behind a write that cannot (ZREM), which is what <see cref="IndexWriteStatus.Full"/> needs.
/// </para>
/// </summary>
internal static class RedisScripts
{
    private const string Common =
        """
        -- Of this process of Redis, and no other: a replica that takes over has one of its own. 2.6 us.
        local function run()
          return string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 16)
        end

        -- Whether memory was full when the script began; whatever follows may write. Changes nothing, and fails where no write is taken at all: on a replica, on
        -- a primary that lost its replicas (min-replicas-to-write), after a failed save. So a server that was deposed confirms no token.
        local function full(key)
          if type(redis.pcall('ZADD', key, 'XX', '0', '')) ~= 'table' then return false end
          redis.call('ZREM', key, '')
          return true
        end

        local function owns(owner, token, of)
          return redis.call('GET', owner) == token and run() == of
        end

        -- The partition's birth mark, written if missing.
        local function birth(born, fresh)
          local mark = redis.call('GET', born)
          if mark then return mark end
          full(born)
          redis.call('SET', born, fresh)
          return fresh
        end

        -- What `parent` says of `member`: the least score in `child`, or nothing when that is empty.
        local function settle(parent, child, member)
          local first = redis.call('ZRANGE', child, 0, 0, 'WITHSCORES')
          if first[2] then redis.call('ZADD', parent, first[2], member) else redis.call('ZREM', parent, member) end
        end

        -- Arguments `at` to `at + count - 1`, in pieces that unpack can take.
        local function each(at, count, take)
          for from = at, at + count - 1, 2000 do take(from, math.min(from + 1999, at + count - 1)) end
          return at + count
        end


        """;

    public static readonly RedisScript Take = new(Common +
        """
        -- KEYS: owner, born, wake. ARGV: token, birth mark if there is none.
        -- Taken even when memory is full: without a token nothing could ever be removed.
        full(KEYS[3])
        redis.call('SET', KEYS[1], ARGV[1])
        return {run(), birth(KEYS[2], ARGV[2])}
        """);

    public static readonly RedisScript Leave = new(Common +
        """
        -- KEYS: owner. ARGV: token, run id.
        if owns(KEYS[1], ARGV[1], ARGV[2]) then redis.call('DEL', KEYS[1]) end
        return 0
        """);

    /// <summary>-1: deposed, 0: done, 1: full.</summary>
    public static readonly RedisScript Write = new(Common +
        """
        -- KEYS: owner, lanes, wake, count, then queues. ARGV: token, run id, domain; for each queue its lane, members to remove, arguments to put;
        -- then all members to remove, then all scores and members to put.
        if not owns(KEYS[1], ARGV[1], ARGV[2]) then return -1 end
        local isFull = full(KEYS[3])
        if #KEYS == 4 then return 0 end
        local status, change, at = 0, 0, 4 + 3 * (#KEYS - 4)
        for i = 5, #KEYS do
          at = each(at, tonumber(ARGV[3 * i - 10]), function(from, to) change = change - redis.call('ZREM', KEYS[i], unpack(ARGV, from, to)) end)
        end
        for i = 5, #KEYS do
          at = each(at, tonumber(ARGV[3 * i - 9]), function(from, to)
            if not isFull then
              change = change + redis.call('ZADD', KEYS[i], unpack(ARGV, from, to))
              return
            end
            for j = from, to, 2 do
              if redis.call('ZSCORE', KEYS[i], ARGV[j + 1]) then redis.call('ZADD', KEYS[i], 'XX', ARGV[j], ARGV[j + 1]) else status = 1 end
            end
          end)
          settle(KEYS[2], KEYS[i], ARGV[3 * i - 11])
        end
        settle(KEYS[3], KEYS[2], ARGV[3])
        if change ~= 0 then redis.call('INCRBY', KEYS[4], string.format('%.0f', change)) end
        -- Nothing is queued: so says the count, whatever somebody did by hand.
        if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('DEL', KEYS[4]) end
        return status
        """);

    /// <summary>{-2}: deposed; else {score of the first row left out or -1, lane, {member, score, …}, …}.</summary>
    public static readonly RedisScript ReadDue = new(Common +
        """
        -- KEYS: owner, lanes, wake. ARGV: token, run id, domain, greatest score, rows per lane, what the key of a queue begins with, rows in all.
        if not owns(KEYS[1], ARGV[1], ARGV[2]) then return {-2} end
        full(KEYS[3])
        local reply = {-1}
        local function later(score)
          if score and (reply[1] == -1 or tonumber(score) < reply[1]) then reply[1] = tonumber(score) end
        end
        later(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[4], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2])
        local lanes = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])
        local each_lane = math.min(tonumber(ARGV[5]), math.max(8, math.floor(ARGV[7] / math.max(1, #lanes))))
        for _, lane in ipairs(lanes) do
          local queue = ARGV[6] .. lane
          local rows = redis.call('ZRANGEBYSCORE', queue, '-inf', ARGV[4], 'WITHSCORES', 'LIMIT', 0, each_lane)
          -- A lane that says less than its queue (keys removed by hand) would wake the domain for ever.
          if #rows == 0 then settle(KEYS[2], queue, lane) settle(KEYS[3], KEYS[2], ARGV[3]) end
          later(redis.call('ZRANGE', queue, #rows / 2, #rows / 2, 'WITHSCORES')[2])
          reply[#reply + 1] = lane
          reply[#reply + 1] = rows
        end
        return reply
        """);

    /// <summary>Octets 1 or 0, as the members came.</summary>
    public static readonly RedisScript Contains = new(Common +
        """
        -- KEYS: queues. ARGV: for each queue a number of members; then all members.
        local found, at = {}, #KEYS + 1
        for i = 1, #KEYS do
          at = each(at, tonumber(ARGV[i]), function(from, to)
            for _, score in ipairs(redis.call('ZMSCORE', KEYS[i], unpack(ARGV, from, to))) do found[#found + 1] = score and '1' or '0' end
          end)
        end
        return table.concat(found)
        """);

    /// <summary>{run id, birth mark, octets 1 or 0 as the members came}.</summary>
    public static readonly RedisScript See = new(Common +
        """
        -- KEYS: born, lanes, wake, then queues. ARGV: birth mark if there is none, domain; for each queue its lane and a number of members; then all members.
        full(KEYS[3])
        local found, at = {}, 3 + 2 * (#KEYS - 3)
        for i = 4, #KEYS do
          local least
          at = each(at, tonumber(ARGV[2 * i - 4]), function(from, to)
            for _, score in ipairs(redis.call('ZMSCORE', KEYS[i], unpack(ARGV, from, to))) do
              found[#found + 1] = score and '1' or '0'
              if score and (not least or tonumber(score) < tonumber(least)) then least = score end
            end
          end)
          if least then
            redis.call('ZADD', KEYS[2], 'LT', least, ARGV[2 * i - 5])
            redis.call('ZADD', KEYS[3], 'LT', least, ARGV[2])
          end
        end
        return {run(), birth(KEYS[1], ARGV[1]), table.concat(found)}
        """);

    /// <summary>{run id, birth mark, …} of as many partitions as are asked for: of one, where Redis is a cluster.</summary>
    public static readonly RedisScript Stamps = new(Common +
        """
        -- KEYS: born. ARGV: birth mark if there is none. One each for a partition.
        local reply = {run()}
        for i = 1, #KEYS do reply[i + 1] = birth(KEYS[i], ARGV[i]) end
        return reply
        """);

    /// <summary>{domain, score, …} for each partition.</summary>
    public static readonly RedisScript Wakes = new(
        """
        -- KEYS: wake, of each partition. ARGV: greatest score, most domains a partition.
        local reply = {}
        for i = 1, #KEYS do reply[i] = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2]) end
        return reply
        """);

    /// <summary>{queued, least score or -1}.</summary>
    public static readonly RedisScript Totals = new(
        """
        -- KEYS: wake and count, of each partition.
        local queued, least = 0, -1
        for i = 1, #KEYS, 2 do
          queued = queued + tonumber(redis.call('GET', KEYS[i + 1]) or 0)
          local first = tonumber(redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or -1)
          if first >= 0 and (least < 0 or first < least) then least = first end
        end
        return {queued, least}
        """);

    /// <summary>{lane, member, score, …}, earliest due first.</summary>
    public static readonly RedisScript List = new(
        """
        -- KEYS: lanes. ARGV: least score, most rows, what the key of a queue begins with.
        -- Some of every lane, then more of those only whose last row is among the rows wanted: a page costs some pages, not a page of each lane.
        local limit, rows, open = tonumber(ARGV[2]), {}, {}
        local function before(a, b) return a[4] < b[4] or a[4] == b[4] and a[2] < b[2] end
        local function read(lane, skip, count)
          local part = redis.call('ZRANGEBYSCORE', ARGV[3] .. lane, ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', skip, count)
          for i = 1, #part, 2 do rows[#rows + 1] = {lane, part[i], part[i + 1], tonumber(part[i + 1])} end
          if #part == 2 * count then open[#open + 1] = {lane, skip + count, rows[#rows]} end
        end
        local lanes = redis.call('ZRANGE', KEYS[1], 0, -1)
        for _, lane in ipairs(lanes) do read(lane, 0, math.max(8, math.ceil(limit / #lanes))) end
        repeat
          table.sort(rows, before)
          for i = #rows, limit + 1, -1 do rows[i] = nil end
          local last, asked = rows[limit], open
          open = {}
          for _, lane in ipairs(asked) do
            if not last or before(lane[3], last) then read(lane[1], lane[2], lane[2]) end
          end
        until #asked == 0
        local reply = {}
        for i = 1, #rows do
          for j = 1, 3 do reply[#reply + 1] = rows[i][j] end
        end
        return reply
        """);

    /// <summary>How many are queued, for each domain.</summary>
    public static readonly RedisScript Counts = new(
        """
        -- KEYS: lanes, of each domain. ARGV: what the key of a queue begins with, of each domain.
        local reply = {}
        for i = 1, #KEYS do
          local queued = 0
          for _, lane in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do queued = queued + redis.call('ZCARD', ARGV[i] .. lane) end
          reply[i] = queued
        end
        return reply
        """);

    /// <summary>{which domain, lane, queued, {member, members looked at of its pack, …}, …}.</summary>
    public static readonly RedisScript Lanes = new(
        """
        -- KEYS: lanes, of each domain. ARGV: members looked at of a lane, of a domain, of a lane at least; then what the key of a queue begins with, of each domain.
        local reply = {}
        for i = 1, #KEYS do
          local lanes = redis.call('ZRANGE', KEYS[i], 0, -1)
          local most = math.max(tonumber(ARGV[3]), math.min(tonumber(ARGV[1]), math.floor(ARGV[2] / math.max(1, #lanes))))
          for _, lane in ipairs(lanes) do
            local queue, born, counts = ARGV[i + 3] .. lane, {}, {}
            for _, member in ipairs(redis.call('ZRANDMEMBER', queue, most)) do
              -- A pack is the first twelve octets of a key.
              local pack = string.sub(member, 1, 12)
              if not counts[pack] then
                born[#born + 1] = member
                counts[pack] = 0
              end
              counts[pack] = counts[pack] + 1
            end
            local part = {}
            for _, member in ipairs(born) do
              part[#part + 1] = member
              part[#part + 1] = counts[string.sub(member, 1, 12)]
            end
            reply[#reply + 1] = i
            reply[#reply + 1] = lane
            reply[#reply + 1] = redis.call('ZCARD', queue)
            reply[#reply + 1] = part
          end
        end
        return reply
        """);

    /// <summary>Some of the domains of a partition, by when they are due.</summary>
    public static readonly RedisScript Domains = new(
        """
        -- KEYS: wake. ARGV: first and last rank.
        return redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])
        """);
}
