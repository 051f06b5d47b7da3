using System.Text;
using System.Text.RegularExpressions;

namespace Angarium.TestKit.Documents;

/// <summary>
/// Takes a script of the documentation apart into its commands, those in `$(…)` too: quotes, comments, continued lines, lists, pipes, redirections, here-documents, assignments, loops and `case` as our pages use them. It runs nothing.
/// One use, one thread.
/// </summary>
public sealed partial class ShellReader
{
    private static readonly HashSet<string> s_before = ["do", "then", "else", "if", "while", "until", "!", "{", "sudo"], s_alone = ["done", "fi", "esac", "}", "*"], s_whole = ["for", "case"];

    private readonly string _text;
    private readonly List<ShellCommand> _commands = [];
    private readonly List<string> _words = [];
    private readonly Queue<string> _delimiters = new();
    private readonly StringBuilder _word = new();
    private bool _inWord, _isTarget;
    private int _at, _line, _begun;

    private ShellReader(string text, int line) => (_text, _line) = (text, line);

    /// <exception cref="FormatException">A quote, a parenthesis or a here-document is not closed.</exception>
    public static IReadOnlyList<ShellCommand> Read(string script) => new ShellReader(script, 0).Run()._commands;

    private ShellReader Run()
    {
        while (_at < _text.Length) Step(_text[_at]);
        EndCommand();
        return _delimiters.Count > 0 ? throw Unclosed("a here-document") : this;
    }

    private void Step(char c)
    {
        switch (c)
        {
            case '\\' when Next == '\n':
                (_at, _line) = (_at + 2, _line + 1);
                break;
            case '\\':
                Append(Next ?? throw Unclosed("a line"));
                _at += 2;
                break;
            case '\'':
                Quoted(_text.IndexOf('\'', _at + 1));
                break;
            case '"':
                _at++;
                _inWord = true;
                while (_at < _text.Length && _text[_at] != '"') DoubleQuoted();
                if (_at++ >= _text.Length) throw Unclosed("a quote");
                break;
            case '$':
                Dollar();
                break;
            case '#' when !_inWord:
                while (_at < _text.Length && _text[_at] != '\n') _at++;
                break;
            case '\n':
                EndCommand();
                _at++;
                _line++;
                while (_delimiters.TryDequeue(out var delimiter)) SkipDocument(delimiter);
                break;
            case ';' or '|' or '&' or '(':
                EndCommand();
                _at++;
                break;
            case ')':
                // What stands before it was a pattern of `case`; of a subshell it is ended already.
                EndWord();
                if (_words is ["case" or "*", ..]) _words.Clear();
                EndCommand();
                _at++;
                break;
            case '<' or '>':
                Redirect(c);
                break;
            case ' ' or '\t':
                EndWord();
                _at++;
                break;
            default:
                Append(c);
                _at++;
                break;
        }
    }

    private char? Next => _at + 1 < _text.Length ? _text[_at + 1] : null;

    private void Append(char c)
    {
        _inWord = true;
        _word.Append(c);
    }

    private void Quoted(int end)
    {
        if (end < 0) throw Unclosed("a quote");
        _inWord = true;
        var inner = _text[(_at + 1)..end];
        _word.Append(inner);
        _line += inner.Count(c => c == '\n');
        _at = end + 1;
    }

    private void DoubleQuoted()
    {
        var c = _text[_at];
        if (c == '$')
        {
            Dollar();
            return;
        }

        if (c == '\\' && Next is '"' or '\\' or '$' or '`') c = _text[++_at];
        if (c == '\n') _line++;
        Append(c);
        _at++;
    }

    /// <summary>`$(…)` is read as a script of its own, and stands in the word as `$()`.</summary>
    private void Dollar()
    {
        if (Next != '(')
        {
            Append('$');
            _at++;
            return;
        }

        var (begin, depth) = (_at + 2, 0);
        for (_at = begin; ; _at++)
        {
            if (_at >= _text.Length) throw Unclosed("$(");
            if (_text[_at] == '\'') _at = _text.IndexOf('\'', _at + 1) is >= 0 and var end ? end : throw Unclosed("a quote");
            else if (_text[_at] == '(') depth++;
            else if (_text[_at] == ')' && depth-- == 0) break;
        }

        _commands.AddRange(new ShellReader(_text[begin.._at++], _line).Run()._commands);
        _inWord = true;
        _word.Append("$()");
    }

    private void Redirect(char c)
    {
        // A number that touches it names what is redirected.
        if (_inWord && _word.Length == 1 && char.IsAsciiDigit(_word[0])) (_inWord, _word.Length) = (false, 0);
        EndWord();
        _at++;
        if (c == '<' && _at < _text.Length && _text[_at] == '<')
        {
            _at++;
            var delimiter = Delimiter().Match(_text, _at);
            if (!delimiter.Success || delimiter.Index != _at) throw Unclosed("a here-document");
            _delimiters.Enqueue(delimiter.Groups[1].Value);
            _at += delimiter.Length;
            return;
        }

        if (_at < _text.Length && _text[_at] == '>') _at++;
        if (_at < _text.Length && _text[_at] == '&')
        {
            _at += 2;
            return;
        }

        _isTarget = true;
    }

    private void SkipDocument(string delimiter)
    {
        for (; ; )
        {
            if (_at >= _text.Length) throw Unclosed("a here-document");
            var end = _text.IndexOf('\n', _at) is >= 0 and var found ? found : _text.Length;
            var line = _text[_at..end];
            _at = Math.Min(end + 1, _text.Length);
            _line++;
            if (line == delimiter) return;
        }
    }

    private void EndWord()
    {
        if (!_inWord) return;
        var word = _word.ToString();
        (_inWord, _word.Length) = (false, 0);
        if (!_isTarget)
        {
            if (_words.Count == 0) _begun = _line;
            _words.Add(word);
        }

        _isTarget = false;
    }

    private void EndCommand()
    {
        EndWord();
        var words = _words.ToList();
        _words.Clear();
        while (words.Count > 0 && (s_before.Contains(words[0]) || Assignment().IsMatch(words[0])))
        {
            var user = words is ["sudo", "-u", _, ..] ? 3 : 1;
            words.RemoveRange(0, user);
        }

        if (words.Count == 0 || s_alone.Contains(words[0]) || s_whole.Contains(words[0])) return;
        _commands.Add(new ShellCommand(words, _begun));
    }

    private FormatException Unclosed(string what) => new($"line {_line + 1}: {what} is not closed");

    [GeneratedRegex("[ ]*['\"]?([A-Z]+)['\"]?")]
    private static partial Regex Delimiter();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*=")]
    private static partial Regex Assignment();
}
