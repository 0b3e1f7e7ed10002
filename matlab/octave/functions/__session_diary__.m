% __session_diary__ (GOES_ON)
% The user's diary, if there is one, rests while Octave waits for the service: prompts are frames and would be written
% into it, and what the service types, too. Shown later, such a frame would be taken for a prompt.

function __session_diary__ (goes_on)
  persistent rests = false;
  mlock ();                                 % no `clear all` makes it forget
  if (goes_on)
    if (rests)
      diary ("on");
    end
    rests = false;
  elseif (diary ())
    diary ("off");
    rests = true;
  end
end
